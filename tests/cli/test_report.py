"""`vudissect report` as a user calls it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.cli.program import run
from tests.conversation import Conversation
from vudissect.cli import report

CAPTURES = Path(__file__).parents[2] / "captures"
HEALTHY = CAPTURES / "qemu-10.0-blk-qsd.pcapng"
FLOOD = CAPTURES / "qemu-7.2-net-iommu-dpdk-22.11.pcapng"


def test_the_page_has_the_name_of_the_capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("report", str(HEALTHY))

    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.startswith(b"qemu-10.0-blk-qsd.html: ")
    assert "nothing is wrong: the device ran" in (tmp_path / "qemu-10.0-blk-qsd.html").read_text("utf-8")


def test_the_page_can_go_to_standard_output() -> None:
    result = run("report", str(HEALTHY), "-o", "-")

    assert result.stdout.startswith(b"<!doctype html>")


def test_the_same_capture_makes_the_same_page() -> None:
    assert run("report", str(HEALTHY), "-o", "-").stdout == run("report", str(HEALTHY), "-o", "-").stdout


def test_a_capture_that_is_cut_off_says_what_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcapng"
    path.write_bytes(HEALTHY.read_bytes()[:-50])
    result = run("report", str(path), "-o", str(tmp_path / "cut.html"))

    assert result.returncode == 1
    assert result.stderr.count(b"\n") == 1
    assert "what came after is unknown" in (tmp_path / "cut.html").read_text("utf-8")


def test_a_capture_of_a_session_that_had_begun_says_so() -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_ENABLE", index=0, num=1)
    result = run("report", "-", "-o", "-", stdin=talk.capture())

    assert result.returncode == 0
    assert b"Not known: " in result.stdout


def test_a_capture_without_messages_makes_no_page(tmp_path: Path) -> None:
    path = tmp_path / "empty.pcapng"
    path.write_bytes(Conversation().capture())
    result = run("report", str(path), "-o", str(tmp_path / "empty.html"))

    assert result.returncode == 2
    assert not (tmp_path / "empty.html").exists()


def test_a_page_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    result = run("report", str(HEALTHY), "-o", str(tmp_path / "missing" / "boot.html"))

    assert result.returncode == 2
    assert result.stderr.count(b"\n") == 1


def test_only_some_frames_can_be_in_the_page(tmp_path: Path) -> None:
    page = tmp_path / "part.html"
    result = run("report", str(HEALTHY), "-o", str(page), "--from", "10", "--to", "19")

    assert (result.returncode, result.stderr) == (0, b"")
    assert "Not in this page: </strong>40 of 50 frames" in page.read_text("utf-8")
    assert "nothing is wrong: the device ran" in page.read_text("utf-8")


@pytest.mark.parametrize("options", [("--from", "100"), ("--from", "20", "--to", "10")], ids=" ".join)
def test_a_page_without_frames_is_one_clear_line(tmp_path: Path, options: tuple[str, ...]) -> None:
    result = run("report", str(HEALTHY), "-o", str(tmp_path / "part.html"), *options)

    assert result.returncode == 2
    assert result.stderr.decode().endswith(": --from and --to leave nothing: it has 50 frames\n")
    assert not (tmp_path / "part.html").exists()


def test_two_sessions_have_no_parts() -> None:
    result = run("report", "--diff", str(HEALTHY), str(FLOOD), "--from", "10")

    assert result.returncode == 2
    assert b"--from and --to are for the page of one capture" in result.stderr


def test_a_long_capture_is_shortened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = Conversation()
    for _ in range(12_000):
        talk.front_end("GET_FEATURES")
    path, page = tmp_path / "long.pcapng", tmp_path / "long.html"
    path.write_bytes(talk.capture())
    monkeypatch.setattr(report, "MOST_FRAMES", 500)
    result = CliRunner().invoke(report.command, [str(path), "-o", str(page)])

    assert result.exit_code == 0
    assert "Not in this page: </strong>1000 of 12000 frames" in page.read_text("utf-8")


def test_ten_thousand_messages_are_at_most_a_megabyte() -> None:
    """Of a real session; most of them are IOTLB messages."""
    messages = 1_143
    page = run("report", str(FLOOD), "-o", "-").stdout

    assert len(page) < messages * 100 + 100_000


def test_two_sessions_are_shown_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("report", "--diff", str(CAPTURES / "qemu-7.2-blk-qsd.pcapng"), str(HEALTHY))

    assert (result.returncode, result.stderr) == (0, b"")
    page = (tmp_path / "qemu-7.2-blk-qsd-qemu-10.0-blk-qsd.html").read_text("utf-8")
    assert "<strong>GET_MAX_MEM_SLOTS answer, slots</strong>" in page
    assert '<td class="first">B&gt;F GET_MAX_MEM_SLOTS -&gt; slots 32 [#9]</td>' in page
    assert '<td class="second">B&gt;F GET_MAX_MEM_SLOTS -&gt; slots 509 [#9]</td>' in page


def test_equal_sessions_have_no_differences() -> None:
    result = run("report", "--diff", str(HEALTHY), str(HEALTHY), "-o", "-")

    assert b"<h1>no differences</h1>" in result.stdout
    assert b"<tr><td class=" not in result.stdout


@pytest.mark.parametrize("files", [[HEALTHY, HEALTHY], ["--diff", HEALTHY]], ids=["two", "one with --diff"])
def test_another_number_of_captures_is_refused(files: list[Path | str]) -> None:
    result = run("report", *map(str, files))

    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.decode().endswith("report makes a page of one capture, report --diff of two\n")


def test_a_capture_that_is_cut_off_says_what_is_unknown_in_a_comparison(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcapng"
    path.write_bytes(HEALTHY.read_bytes()[:-50])
    result = run("report", "--diff", str(HEALTHY), str(path), "-o", "-")

    assert result.returncode == 1
    assert b"Not known: " in result.stdout
