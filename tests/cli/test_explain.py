"""`vudissect explain` as a user calls it."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import TIMEOUT, run
from tests.conversation import Conversation

LINE = "Received unexpected msg type. Expected 22 received 40"


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """A session that the back-end ends."""
    talk = Conversation()
    talk.open("qemu", "disk")
    talk.front_end("SET_OWNER", header_flags=0x11)
    talk.front_end("SET_VRING_ENABLE", index=0, num=7)
    talk.close("back-end")
    path = tmp_path / "talk.pcapng"
    path.write_bytes(talk.capture())
    return path


class TestALine:
    def test_it_is_explained_with_message_names(self) -> None:
        result = run("explain", LINE)

        assert result.returncode == 0
        assert b"QEMU: " in result.stdout
        assert b"expected: 22 is IOTLB_MSG" in result.stdout
        assert b"received: 40 is GET_STATUS" in result.stdout

    def test_who_is_to_blame_and_what_to_look_at(self) -> None:
        text = run("explain", "Failed initializing vhost-user memory map").stdout.decode()

        assert "likely to blame: the configuration of the VM or of the host" in text
        assert "look at: -object memory-backend-memfd" in text
        assert "source: QEMU hw/virtio/vhost-user.c" in text

    def test_errors_are_explained(self) -> None:
        text = run("explain", "qemu-kvm: vhost_set_mem_table failed: Protocol error (71)").stdout.decode()

        assert "EPROTO (71, Protocol error): the other side closed the connection" in text

    def test_rules_come_with_their_statements(self) -> None:
        text = run("explain", "expect 0 FDs for request VHOST_USER_SET_OWNER, received 1").stdout.decode()
        statement = run("rules", "VU-FD-01").stdout.decode().splitlines()[1].strip()

        assert f"VU-FD-01: {statement}" in text

    def test_a_message_that_is_newer_is_said_to_be(self) -> None:
        text = run("explain", "vhost_user_write req:999 (SOMETHING_NEW) flags:0x1").stdout.decode()

        assert (
            "request: 999 is not in this table: it is newer, or from a vendor; the line calls it SOMETHING_NEW" in text
        )

    def test_control_characters_do_not_reach_the_terminal(self) -> None:
        assert b"\x07" not in run("explain", "\x1b[31mFailed to set msg fds\x07 \x1b]0;x\x07").stdout


class TestALog:
    def test_known_lines_are_numbered(self, tmp_path: Path) -> None:
        log = tmp_path / "qemu.log"
        log.write_text(f"starting\n{LINE}\n\x1b[31mother\nqemu: Failed to set msg fds.\n")

        lines = run("explain", str(log)).stdout.decode().splitlines()

        assert [line for line in lines if line[:1].isdigit()] == [f"2: {LINE}", "4: qemu: Failed to set msg fds."]

    def test_what_was_explained_is_not_explained_again(self, tmp_path: Path) -> None:
        log = tmp_path / "qemu.log"
        log.write_text(f"{LINE}\n" * 3)

        lines = run("explain", str(log)).stdout.decode().splitlines()

        assert lines[-4:] == [f"2: {LINE}", "    as line 1", f"3: {LINE}", "    as line 1"]

    def test_other_values_are(self, tmp_path: Path) -> None:
        log = tmp_path / "qemu.log"
        log.write_text("Unhandled request: 40\nUnhandled request: 41\n")

        assert b"as line" not in run("explain", str(log)).stdout

    @pytest.mark.parametrize("arguments", [("-",), ()], ids=["told", "untold"])
    def test_it_may_come_from_standard_input(self, arguments: tuple[str, ...]) -> None:
        assert b"IOTLB_MSG" in run("explain", *arguments, stdin=LINE.encode()).stdout

    def test_bytes_that_are_no_text_do_no_harm(self) -> None:
        assert b"IOTLB_MSG" in run("explain", stdin=b"\xff\xfe\x00\n" + LINE.encode()).stdout

    def test_without_a_log_and_at_a_terminal_it_asks_for_one(self) -> None:
        terminal, end = pty.openpty()
        try:
            result = subprocess.run(
                [sys.executable, "-m", "vudissect", "explain"],
                stdin=end,
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
            )
        finally:
            os.close(terminal)
            os.close(end)

        assert result.returncode == 2
        assert result.stderr == b"vudissect: explain: give a line of a log, a FILE, or a log on standard input\n"


class TestWithACapture:
    def test_a_line_is_tied_to_what_it_shows(self, capture: Path) -> None:
        text = run("explain", "qemu: Failed to set msg fds", "--capture", str(capture)).stdout.decode()

        assert f"    in {capture}:\n        connection 1 (qemu, disk) was closed by the back-end (eof) in #4" in text

    def test_with_what_is_wrong_under_its_rules(self, capture: Path) -> None:
        text = run("explain", "HandleRequest(InvalidMessage)", "--capture", str(capture)).stdout.decode()

        assert "VU-HDR-04 #2 front-end" in text
        assert "VU-VRG-03 #3 front-end" in text

    def test_an_unknown_line_is_tied_to_what_it_names(self, capture: Path) -> None:
        result = run("explain", "frobnication of SET_VRING_ENABLE failed", "--capture", str(capture))

        assert result.returncode == 1
        assert b"SET_VRING_ENABLE was sent in #3" in result.stdout

    def test_every_line_of_a_log_is_tied(self, capture: Path, tmp_path: Path) -> None:
        log = tmp_path / "qemu.log"
        log.write_text("qemu: Failed to set msg fds\nqemu: Failed to write msg. Wrote -1 instead of 20.\n")

        text = run("explain", str(log), "--capture", str(capture)).stdout.decode()

        assert text.count(f"    in {capture}:\n") == 2

    def test_a_capture_that_is_cut_off_is_said_to_be(self, capture: Path) -> None:
        capture.write_bytes(capture.read_bytes()[:-10])

        result = run("explain", LINE, "--capture", str(capture))

        assert (result.returncode, result.stderr.count(b"\n")) == (1, 1)


class TestAnUnknownLine:
    def test_it_says_so(self) -> None:
        result = run("explain", "all went well")

        assert result.returncode == 1
        assert result.stdout == b"all went well\n    this line is not known\nno known line of a log\n"

    def test_what_is_in_it_is_named(self) -> None:
        text = run("explain", "qemu-kvm: vhost-user queue 3: GET_CONFIG gave errno 104 on /run/v.sock").stdout.decode()

        assert "    QEMU: this line is not known; it names\n" in text
        assert "    message: GET_CONFIG is number 24: " in text
        assert "    ECONNRESET (104, Connection reset by peer): " in text
        assert "    ring: 3\n    socket: /run/v.sock\n" in text

    def test_a_log_without_any_has_only_that(self) -> None:
        result = run("explain", stdin=b"booting\nready\n")

        assert (result.returncode, result.stdout) == (1, b"no known line of a log\n")

    def test_a_word_may_be_a_file_that_is_not_there(self) -> None:
        result = run("explain", "missing.log")

        assert result.returncode == 2
        assert b"missing.log: no such file, and not a known line of a log" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("missing.log",), "missing.log"),
        ((LINE, "--capture", "missing.pcapng"), "missing.pcapng"),
        ((LINE, "--capture", __file__), __file__),
        (("/",), "/: "),
        (("-", "--capture", "-"), "standard input"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(arguments: tuple[str, ...], named: str) -> None:
    result = run("explain", *arguments)

    assert (result.returncode, result.stderr.count(b"\n")) == (2, 1)
    assert named.encode() in result.stderr
