"""`vudissect lint --annotate`: what Wireshark shows of it, and what is refused."""

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.program import TIMEOUT, run

CAPTURES = Path(__file__).parents[2] / "captures"
GPU = CAPTURES / "qemu-10.0-gpu.pcapng"


def comments(capture: Path) -> dict[int, str]:
    """The comments at each packet, as tshark shows them."""
    tshark = shutil.which("tshark")
    assert tshark is not None
    command = [
        tshark,
        "-r",
        str(capture),
        "-Y",
        "frame.comment",
        "-T",
        "fields",
        "-e",
        "frame.number",
        "-e",
        "frame.comment",
    ]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=True).stdout
    return {int(frame): text for frame, _, text in (line.partition("\t") for line in shown.splitlines())}


def added(original: Path, copy: Path) -> dict[int, str]:
    before = comments(original)
    return {frame: text for frame, text in comments(copy).items() if text != before.get(frame)}


def test_wireshark_shows_the_findings_at_their_messages(tmp_path: Path) -> None:
    result = run("lint", str(GPU), "--annotate", str(tmp_path / "found.pcapng"))

    assert result.returncode == 1
    assert result.stderr.decode().endswith("found.pcapng: 1 finding is a comment in it\n")
    ((frame, text),) = added(GPU, tmp_path / "found.pcapng").items()
    assert frame == 30
    assert text.startswith("error VU-NEG-01 front-end: SET_FEATURES acknowledges RING_RESET")
    assert text.endswith("(see #16)")


def test_what_is_listed_is_written(tmp_path: Path) -> None:
    copies = [tmp_path / name for name in ("listed", "all", "none")]
    for copy, options in zip(copies, ([], ["--severity", "info"], ["--ignore", "VU-NEG-01"]), strict=True):
        run("lint", str(GPU), "--annotate", str(copy), *options)

    listed, everything, nothing = (added(GPU, copy) for copy in copies)
    assert (set(listed), nothing) == ({30}, {})
    assert set(everything) > set(listed)


def test_a_compressed_capture_gets_a_plain_copy(tmp_path: Path) -> None:
    (tmp_path / "boot.pcapng.gz").write_bytes(gzip.compress(GPU.read_bytes()))

    run("lint", str(tmp_path / "boot.pcapng.gz"), "--annotate", str(tmp_path / "copy"))
    run("lint", str(GPU), "--annotate", str(tmp_path / "plain"))

    assert (tmp_path / "copy").read_bytes() == (tmp_path / "plain").read_bytes()


def test_the_copy_can_be_judged_again(tmp_path: Path) -> None:
    run("lint", str(GPU), "--annotate", str(tmp_path / "copy"))

    assert run("lint", str(tmp_path / "copy")).stdout == run("lint", str(GPU)).stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["a", "a", "--annotate", "b"], "--annotate copies one capture, but there are 2 here: name one file"),
        (["-", "--annotate", "b"], "--annotate reads the capture twice: name a file, not standard input"),
        (["a", "--annotate", "a"], "--annotate a: this is the capture itself, which is never changed"),
        (["a", "--annotate", "link"], "--annotate link: this is the capture itself"),
        (["a", "--annotate", "nowhere/b"], "nowhere/b: No such file or directory"),
        (["a", "--annotate", "."], ".: Is a directory"),
    ],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(CAPTURES / "qemu-7.2-blk-qsd.pcapng", "a")
    Path("link").symlink_to("a")

    result = run("lint", *words)

    assert result.returncode == 2
    assert says in result.stderr.decode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "link"]
