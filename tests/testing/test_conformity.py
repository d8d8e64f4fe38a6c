"""`assert_conforms`, as other projects use it."""

from pathlib import Path

import pytest

from vudissect.conversation.text import read_conversation
from vudissect.testing import assert_conforms

HEALTHY = """
--- connection front-end=qemu back-end=disk
F>B GET_FEATURES
B>F GET_FEATURES -> VERSION_1
F>B SET_OWNER
--- closed by front-end
"""
ANSWERED_TWICE = HEALTHY.replace("F>B SET_OWNER", "B>F GET_FEATURES -> VERSION_1\nF>B SET_OWNER")


def capture_of(folder: Path, text: str) -> Path:
    path = folder / "talk.pcapng"
    path.write_bytes(read_conversation(text).capture())
    return path


def test_a_healthy_capture_conforms(tmp_path: Path) -> None:
    assert_conforms(capture_of(tmp_path, HEALTHY))


def test_a_capture_with_errors_fails_with_findings_and_transcript(tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as failure:
        assert_conforms(capture_of(tmp_path, ANSWERED_TWICE))

    text = str(failure.value)
    assert "does not conform: VU-RPL-" in text
    assert "error VU-RPL-" in text
    assert "B>F GET_FEATURES -> VERSION_1" in text


def test_a_rule_can_be_ignored(tmp_path: Path) -> None:
    path = capture_of(tmp_path, ANSWERED_TWICE)
    with pytest.raises(AssertionError) as failure:
        assert_conforms(path)
    rules = str(failure.value).partition("does not conform: ")[2].partition("\n")[0].split(", ")

    assert_conforms(path, ignore=rules)


def test_strict_counts_warnings() -> None:
    path = Path(__file__).parents[2] / "captures/qemu-7.2-blk-qsd-back-end-killed.pcapng"
    assert_conforms(path)

    with pytest.raises(AssertionError, match="VU-END-01"):
        assert_conforms(path, strict=True)


def test_an_unknown_rule_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown rule VU-X-01"):
        assert_conforms(capture_of(tmp_path, HEALTHY), ignore=("VU-X-01",))


def test_a_capture_that_cannot_be_read_does_not_conform(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="No such file"):
        assert_conforms(tmp_path / "none.pcapng")


def test_a_capture_without_messages_does_not_conform(tmp_path: Path) -> None:
    silent = capture_of(tmp_path, "--- connection front-end=qemu back-end=disk\n--- closed by back-end")

    with pytest.raises(AssertionError, match="no vhost-user messages"):
        assert_conforms(silent)
