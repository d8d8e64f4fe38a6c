"""`vudissect lint` over many captures: several at once, counted by rule and pair, and against a baseline."""

import json
from pathlib import Path

import pytest

from tests.cli.program import run
from tests.conversation import Conversation


def enables_with(*values: int, back_end: str = "disk") -> bytes:
    """A front-end that enables rings with any numbers."""
    talk = Conversation()
    talk.open("qemu", back_end)
    for ring, value in enumerate(values):
        talk.front_end("SET_VRING_ENABLE", index=ring, num=value)
    return talk.capture()


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """Three captures; two of them break VU-VRG-03."""
    folder = tmp_path / "fleet"
    folder.mkdir()
    (folder / "a.pcapng").write_bytes(enables_with(7, 9))
    (folder / "b.pcapng").write_bytes(enables_with(1))
    (folder / "c.pcapng").write_bytes(enables_with(5, back_end="switch"))
    return folder


def counted(*arguments: str) -> list[dict[str, object]]:
    """What a summary has of VU-VRG-03."""
    lines = map(json.loads, run("lint", "--summary", "--json", *arguments).stdout.splitlines())
    return [line for line in lines if line["rule"] == "VU-VRG-03"]


@pytest.mark.parametrize("options", [(), ("--json",), ("--summary",), ("-Y", "ring=0")])
def test_several_at_once_print_the_same(fleet: Path, options: tuple[str, ...]) -> None:
    one, two = (run("lint", *options, "--jobs", jobs, str(fleet)) for jobs in ("1", "2"))

    assert (one.returncode, one.stdout) == (two.returncode, two.stdout)
    assert b"VU-VRG-03" in one.stdout


def test_the_summary_counts_by_pair(fleet: Path) -> None:
    disk, switch = counted(str(fleet))

    assert (disk["front_end"], disk["back_end"], disk["findings"], disk["captures"]) == ("qemu", "disk", 2, 1)
    assert (switch["back_end"], switch["findings"], switch["file"]) == ("switch", 1, str(fleet / "c.pcapng"))


def test_the_summary_for_people(fleet: Path) -> None:
    result = run("lint", "--summary", "--ignore", "VU-NEG", str(fleet))
    lines = result.stdout.decode().splitlines()

    assert result.returncode == 1
    assert lines[0] == "error VU-VRG-03 front-end: 3 findings in 2 of 3 captures"
    assert lines[1] == "    2 in 1 capture: qemu and disk, device unknown"
    assert lines[3].startswith(f"    {fleet / 'a.pcapng'} #2: ring 0 is enabled with 7")
    assert lines[-1].startswith("3 captures, 4 messages; ")


def test_damaged_and_foreign_files_are_counted_and_the_rest_is_done(fleet: Path) -> None:
    (fleet / "b.pcapng").write_bytes(enables_with(1, 1)[:-7])
    (fleet / "d.pcapng").write_text("no capture")
    result = run("lint", "--summary", "--jobs", "2", str(fleet))

    assert result.returncode == 1
    assert [line.split(": ")[1] for line in result.stderr.decode().splitlines()] == [
        str(fleet / "b.pcapng"),
        str(fleet / "d.pcapng"),
    ]
    assert result.stdout.decode().splitlines()[-1].endswith("; 2 captures not read to the end")


def test_a_filter_that_matches_nothing_says_what_the_captures_have(fleet: Path) -> None:
    result = run("lint", "--jobs", "2", "-Y", "ring=77", str(fleet))

    assert result.stderr == b"vudissect: no message matches ring=77; rings seen: 0, 1\n"


class TestBaseline:
    def test_what_is_known_does_not_fail(self, fleet: Path, tmp_path: Path) -> None:
        known = str(tmp_path / "known.jsonl")
        first = run("lint", "--write-baseline", known, str(fleet))
        second = run("lint", "--baseline", known, str(fleet))

        assert (first.returncode, second.returncode) == (1, 0)
        assert b"error" not in second.stdout
        assert b"known" in second.stdout

    def test_what_is_new_fails(self, fleet: Path, tmp_path: Path) -> None:
        known = str(tmp_path / "known.jsonl")
        run("lint", "--write-baseline", known, str(fleet / "a.pcapng"))

        (new,) = counted("--baseline", known, str(fleet))

        assert new["back_end"] == "switch"
        assert run("lint", "--baseline", known, str(fleet)).returncode == 1

    def test_another_place_is_not_new(self, fleet: Path, tmp_path: Path) -> None:
        known = str(tmp_path / "known.jsonl")
        run("lint", "--write-baseline", known, str(fleet / "a.pcapng"))
        (fleet / "e.pcapng").write_bytes(enables_with(1, 1, 3))

        assert counted("--baseline", known, str(fleet / "e.pcapng")) == []

    def test_the_baseline_can_be_written_again(self, fleet: Path, tmp_path: Path) -> None:
        known = tmp_path / "known.jsonl"
        run("lint", "--write-baseline", str(known), str(fleet))
        before = known.read_bytes()
        run("lint", "--baseline", str(known), "--write-baseline", str(known), str(fleet))

        assert known.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--baseline", "a.pcapng"), "a.pcapng: line 1 is not a known finding, as --write-baseline makes it"),
        (("--baseline", "none"), "none: No such file or directory: name a file that exists in this folder"),
        (("--summary", "--junit", "x"), "--summary counts findings: --junit and --annotate list them"),
        (("--summary", "--format", "junit"), "lint --summary has no --format junit: use text or json"),
        (("--jobs", "2", "-"), "--jobs reads files, not standard input"),
        (("--jobs", "0"), "Invalid value for '--jobs': 0 is not in the range x>=1"),
    ],
    ids=lambda each: each if isinstance(each, str) else " ".join(each),
)
def test_what_cannot_be_done_is_refused(
    fleet: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], expected: str
) -> None:
    monkeypatch.chdir(fleet)
    result = run("lint", *options, "a.pcapng")

    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.decode().startswith(f"vudissect: {expected}")
    assert result.stderr.count(b"\n") == 1
