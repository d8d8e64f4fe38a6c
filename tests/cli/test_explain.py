"""`vudissect explain` as a user calls it."""

from pathlib import Path

import pytest

from tests.cli.test_commands import run
from tests.conversation import Conversation

LINE = "Received unexpected msg type. Expected 22 received 40"


def test_a_line_is_explained_with_message_names() -> None:
    result = run("explain", LINE)

    assert result.returncode == 0
    assert b"QEMU: " in result.stdout
    assert b"expected: 22 is IOTLB_MSG" in result.stdout
    assert b"received: 40 is GET_STATUS" in result.stdout


def test_rules_come_with_their_statements() -> None:
    text = run("explain", "expect 0 FDs for request VHOST_USER_SET_OWNER, received 1").stdout.decode()
    statement = run("rules", "VU-FD-01").stdout.decode().splitlines()[1].strip()

    assert f"VU-FD-01: {statement}" in text


def test_known_lines_of_a_log_are_numbered(tmp_path: Path) -> None:
    log = tmp_path / "qemu.log"
    log.write_text(f"starting\n{LINE}\n\x1b[31mother\nqemu: Failed to set msg fds.\n")

    lines = run("explain", str(log)).stdout.decode().splitlines()

    assert [line for line in lines if line[:1].isdigit()] == [f"2: {LINE}", "4: qemu: Failed to set msg fds."]


def test_a_log_may_come_from_standard_input() -> None:
    assert b"IOTLB_MSG" in run("explain", "-", stdin=LINE.encode()).stdout


def test_a_capture_shows_what_it_has_under_these_rules(tmp_path: Path) -> None:
    talk = Conversation()
    talk.front_end("SET_OWNER", header_flags=0x11)
    talk.front_end("SET_VRING_ENABLE", index=0, num=7)
    capture = tmp_path / "talk.pcapng"
    capture.write_bytes(talk.capture())

    text = run("explain", "HandleRequest(InvalidMessage)", "--capture", str(capture)).stdout.decode()

    assert "VU-HDR-04 #1 front-end" in text
    assert "VU-VRG-03 #2 front-end" in text
    assert "VU-VRG-03" not in run("explain", "Failed to set msg fds", "--capture", str(capture)).stdout.decode()


def test_an_unknown_line_says_so() -> None:
    result = run("explain", "all went well")

    assert (result.returncode, result.stdout) == (1, b"no line of it is known\n")


@pytest.mark.parametrize(
    "arguments", [("missing.log",), (LINE, "--capture", "missing.pcapng"), (LINE, "--capture", __file__), ("/",)]
)
def test_what_cannot_be_read_is_refused_in_one_line(arguments: tuple[str, ...]) -> None:
    result = run("explain", *arguments)

    assert (result.returncode, result.stderr.count(b"\n")) == (2, 1)
    assert Path(arguments[-1]).name.encode() in result.stderr
