"""`vudissect compose` as a user calls it."""

from pathlib import Path

import pytest

from tests.cli.program import run

TALK = "--- connection front-end=qemu back-end=disk\nF>B GET_FEATURES\nB>F GET_FEATURES -> VERSION_1\n"


def test_a_conversation_becomes_a_capture(tmp_path: Path) -> None:
    (tmp_path / "talk.vu").write_text(TALK)
    capture = tmp_path / "talk.pcapng"

    result = run("compose", str(tmp_path / "talk.vu"), "-w", str(capture))

    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    assert b"GET_FEATURES -> VERSION_1 [#2" in run("show", str(capture)).stdout


def test_from_standard_input_to_standard_output() -> None:
    capture = run("compose", "-", stdin=TALK.encode()).stdout

    assert b"GET_FEATURES -> VERSION_1 [#2" in run("show", "-", stdin=capture).stdout


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (b"F>B SET_OWNER\nF>B SET_OWNERS\n", "talk.vu: line 2: the main channel has no message SET_OWNERS"),
        (b"\xff\xfe", "talk.vu: line 1 is not UTF-8"),
        (None, "No such file"),
    ],
)
def test_what_is_no_conversation_is_refused_in_one_line(tmp_path: Path, contents: bytes | None, words: str) -> None:
    file = tmp_path / "talk.vu"
    if contents is not None:
        file.write_bytes(contents)

    result = run("compose", str(file), "-w", str(tmp_path / "talk.pcapng"))

    assert (result.returncode, result.stderr.count(b"\n")) == (2, 1)
    assert words in result.stderr.decode()


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    result = run("compose", "-", "-w", str(tmp_path / "none" / "talk.pcapng"), stdin=TALK.encode())

    assert (result.returncode, result.stderr.count(b"\n")) == (2, 1)
    assert b"none/talk.pcapng: No such file" in result.stderr
