"""`vudissect diff` as a user calls it."""

import json
from pathlib import Path

import pytest

from tests.cli.program import run
from vudissect.conversation.text import read_conversation

CAPTURES = Path(__file__).parents[2] / "captures"
OLD, NEW = (CAPTURES / f"qemu-{version}-blk-qsd.pcapng" for version in ("7.2", "10.0"))
TALK = """\
--- connection front-end=qemu back-end=disk
F>B GET_FEATURES
B>F GET_FEATURES -> PROTOCOL_FEATURES VERSION_1
F>B SET_OWNER
F>B SET_FEATURES all that was offered
F>B SET_VRING_NUM ring 0 num 256
--- closed by front-end
"""


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    """Two captures; in the second one, a feature is missing and a ring has another size."""
    other = TALK.replace("PROTOCOL_FEATURES VERSION_1", "PROTOCOL_FEATURES").replace("num 256", "num 128")
    paths = tmp_path / "good.pcapng", tmp_path / "bad.pcapng"
    for path, text in zip(paths, (TALK, other), strict=True):
        path.write_bytes(read_conversation(text).capture())
    return str(paths[0]), str(paths[1])


def text(*arguments: str) -> tuple[int, list[str]]:
    result = run("diff", *arguments)
    assert result.stderr == b""
    return result.returncode, result.stdout.decode().splitlines()


def test_a_capture_is_not_different_from_itself() -> None:
    assert text(str(OLD), str(OLD)) == (0, ["no differences"])


def test_two_releases_of_qemu_differ_in_exactly_this() -> None:
    status, lines = text(str(OLD), str(NEW))

    assert status == 1
    assert lines[2:] == [
        "@@ 1. GET_MAX_MEM_SLOTS answer, slots [#10 | #10]",
        "- 32",
        "+ 509",
        "@@ 2. SET_VRING_NUM ring 0, num [#26 | #26]",
        "- 128",
        "+ 256",
        "@@ 3. SET_VRING_NUM ring 0, num [#37 | #39]",
        "- 128",
        "+ 1024",
        "@@ 4. SET_VRING_ENABLE ring 0, flags.need_reply [#30 and 3 more | #30 and 3 more]",
        "- 0",
        "+ 1",
        "4 differences",
    ]


def test_causes_come_first_and_consequences_refer_to_them(pair: tuple[str, str]) -> None:
    _, lines = text(*pair)

    assert [line.partition(" [")[0] for line in lines if line.startswith("@@")] == [
        "@@ 1. GET_FEATURES answer, features",
        "@@ 2. SET_FEATURES, features (follows from 1)",
        "@@ 3. SET_VRING_NUM ring 0, num",
    ]
    assert lines[-1] == "3 differences, 1 of which follows from others"


def test_only_some_kinds(pair: tuple[str, str]) -> None:
    status, lines = text("--only", "rings", *pair)

    assert (status, lines[-1]) == (1, "1 difference")


def test_a_difference_of_another_kind_does_not_count(pair: tuple[str, str]) -> None:
    assert text("--only", "memory", *pair) == (0, ["no differences"])


def test_only_messages_that_match(pair: tuple[str, str]) -> None:
    _, lines = text("-Y", "SET_VRING_*", *pair)

    assert lines[-1] == "1 difference"


def test_both_transcripts_from_the_first_difference_on(pair: tuple[str, str]) -> None:
    _, lines = text("--since-first", *pair)

    assert lines[2:-1] == [
        "  F>B GET_FEATURES",
        "- B>F GET_FEATURES -> PROTOCOL_FEATURES VERSION_1 [#2]",
        "+ B>F GET_FEATURES -> PROTOCOL_FEATURES [#2]",
        "  F>B SET_OWNER",
        "- F>B SET_FEATURES all that was offered",
        "+ F>B SET_FEATURES all that was offered",
        "- F>B SET_VRING_NUM ring 0 num 256",
        "+ F>B SET_VRING_NUM ring 0 num 128",
    ]


def test_two_connections_of_one_capture() -> None:
    capture = CAPTURES / "qemu-7.2-blk-qsd-back-end-killed.pcapng"
    status, lines = text(f"{capture}@1", f"{capture}@2")

    assert status == 1
    assert lines[1] == f"+++ {capture}@2, connection 2: qemu-system-x86_64 and qemu-storage-daemon"


def test_a_connection_that_does_not_exist() -> None:
    result = run("diff", str(OLD), f"{NEW}@7")

    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.decode().endswith(f": {NEW}: there is no connection 7\n")
    assert result.stderr.count(b"\n") == 1


def test_a_capture_that_begins_in_mid_session_is_limited_to_what_it_has(tmp_path: Path) -> None:
    late = tmp_path / "late.pcapng"
    late.write_bytes(read_conversation(TALK.splitlines()[5]).capture())
    whole = tmp_path / "whole.pcapng"
    whole.write_bytes(read_conversation("".join(TALK.splitlines(keepends=True)[:-1])).capture())

    assert text(str(whole), str(late)) == (
        0,
        [
            f"unknown: {late}: the beginning of connection 1 was not recorded: what was set before is unknown",
            "no differences in what both captures have",
        ],
    )


def test_a_capture_that_is_cut_off_is_not_equal(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcapng"
    cut.write_bytes(OLD.read_bytes()[:-20])
    result = run("diff", str(OLD), str(cut))

    assert result.returncode == 1
    assert b"what came after is unknown" in result.stdout
    assert result.stderr.count(b"\n") == 1


def test_a_file_that_cannot_be_read() -> None:
    result = run("diff", str(OLD), "missing.pcapng")

    assert result.returncode == 2
    assert b": missing.pcapng: No such file or directory" in result.stderr


def test_standard_input_can_be_one_of_them() -> None:
    assert run("diff", "-", str(OLD), stdin=OLD.read_bytes()).returncode == 0
    assert run("diff", "-", "-", stdin=OLD.read_bytes()).returncode == 2


def test_each_difference_is_a_json_object(pair: tuple[str, str]) -> None:
    lines = [json.loads(line) for line in run("diff", "--json", *pair).stdout.splitlines()]

    assert [(line["number"], line["because"], line["first_text"]) for line in lines] == [
        (1, None, "VERSION_1"),
        (2, 1, "VERSION_1"),
        (3, None, "256"),
    ]
