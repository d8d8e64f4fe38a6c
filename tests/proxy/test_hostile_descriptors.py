"""Whatever a peer passes as a descriptor, the traffic continues, here and on other connections."""

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.proxy import hanging_files
from tests.proxy.hanging_files import file_server
from tests.proxy.harness import Listener, Peer, call, conversation, eventually, message, relaying
from vudissect.capture.record import RecordKind
from vudissect.host.descriptor import DescriptorKind
from vudissect.rings.fs import Opcode

NUM = message("SET_VRING_NUM", bytes(8))
KICK = message("SET_VRING_KICK", bytes(8))
OPEN = message("SET_BACKEND_REQ_FD")
SO_PASSPIDFD = 76


def pass_a_descriptor(front: Peer, back: Peer, fd: int) -> None:
    front.send(KICK, fd)
    data, (arrived,) = back.receive()
    assert data == KICK
    os.close(arrived)


def the_traffic_goes_on(front: Peer, back: Peer) -> None:
    for _ in range(3):
        front.send(NUM)
        assert back.receive() == (NUM, [])


def test_the_path_of_a_socket_is_not_a_socket(tmp_path: Path) -> None:
    with conversation(tmp_path) as (relay, front, back):
        pass_a_descriptor(front, back, os.open(relay.front_path, os.O_PATH))
        the_traffic_goes_on(front, back)
    (descriptor,) = relay.messages[0].descriptors
    assert descriptor.kind is DescriptorKind.UNKNOWN
    assert descriptor.name.startswith(os.fspath(relay.front_path))


def test_the_path_of_a_socket_opens_no_channel(tmp_path: Path) -> None:
    with conversation(tmp_path) as (relay, front, back):
        front.send(OPEN, os.open(relay.front_path, os.O_PATH))
        data, fds = back.receive()
        assert (data, len(fds)) == (OPEN, 1)
        the_traffic_goes_on(front, back)
    assert "passed on unchanged" in str(relay.of_kind(RecordKind.NOTE)[0].details["text"])


def test_a_file_whose_server_does_not_answer_is_passed_described_and_closed(tmp_path: Path) -> None:
    with file_server(tmp_path / "mount") as server, conversation(tmp_path) as (relay, front, back):
        fd = os.open(server.path, os.O_RDWR)
        server.asked.clear()
        server.hanging = {Opcode.GETATTR, Opcode.FLUSH}
        front.send(KICK, fd)
        _, (arrived,) = back.receive()
        the_traffic_goes_on(front, back)
        # The relay has closed the file, and does not wait for that.
        eventually(lambda: Opcode.FLUSH in server.asked)
        the_traffic_goes_on(front, back)
        server.release()
        os.close(fd)
        os.close(arrived)
    (descriptor,) = relay.messages[0].descriptors
    assert (descriptor.kind, descriptor.size) == (DescriptorKind.FILE, hanging_files.SIZE)
    assert Opcode.GETATTR not in server.asked


def test_a_failed_close_is_ignored(tmp_path: Path) -> None:
    with file_server(tmp_path / "mount", errno.EIO) as server, conversation(tmp_path) as (_, front, back):
        fd = os.open(server.path, os.O_RDWR)
        front.send(KICK, fd)
        _, (arrived,) = back.receive()
        eventually(lambda: Opcode.FLUSH in server.asked)
        the_traffic_goes_on(front, back)
        for each in (fd, arrived):
            with pytest.raises(OSError, match="Input/output error"):
                os.close(each)


@pytest.mark.parametrize("option", [socket.SO_PASSCRED, SO_PASSPIDFD])
def test_additions_of_a_socket_are_neither_lost_descriptors_nor_leaked(tmp_path: Path, option: int) -> None:
    with conversation(tmp_path) as (relay, front, back):
        kept, given = socket.socketpair()
        given.setsockopt(socket.SOL_SOCKET, option, 1)
        front.send(OPEN, given.fileno())
        given.close()
        _, (fd,) = back.receive()
        front_channel, theirs = Peer(kept), socket.socket(fileno=fd)
        # The socket that replaces another has its options.
        assert theirs.getsockopt(socket.SOL_SOCKET, option) == 1
        theirs.setsockopt(socket.SOL_SOCKET, option, 0)
        before = len(os.listdir("/proc/self/fd"))
        event = os.eventfd(0)
        for _ in range(20):
            front_channel.send(KICK, event)
            data, (arrived,) = Peer(theirs).receive()
            assert data == KICK
            os.close(arrived)
        os.close(event)
        eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)
    assert relay.recorder.descriptors_lost == 0
    assert {len(record.descriptors) for record in relay.messages} == {1}


def test_a_message_that_cannot_be_recorded_is_forwarded_and_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("of all things")

    with conversation(tmp_path) as (relay, front, back):
        monkeypatch.setattr("vudissect.proxy.passed.inspect_and_close", fail)
        pass_a_descriptor(front, back, os.eventfd(0))
        eventually(lambda: bool(relay.recorder.not_recorded))
        monkeypatch.undo()
        the_traffic_goes_on(front, back)
    assert [record.data for record in relay.messages] == [NUM] * 3
    (note,) = relay.of_kind(RecordKind.NOTE)
    assert "of all things" in str(note.details["text"])
    assert "could not be recorded" in relay.said[-1]


@pytest.mark.parametrize(
    ("faulty", "data"),
    [("proxy.pump.monotonic_ns", NUM), ("wire.framing.Framer.feed", NUM[:5])],
    ids=["whole", "part"],
)
def test_a_fault_of_the_relay_costs_one_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faulty: str, data: bytes
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("of all things")

    listener = Listener(tmp_path / "back.sock")
    with relaying(tmp_path) as relay:
        front, other_front = call(relay.front_path), call(relay.front_path)
        back, other_back = listener.accept(), listener.accept()
        the_traffic_goes_on(front, back)
        with monkeypatch.context() as patch:
            patch.setattr(f"vudissect.{faulty}", fail)
            front.send(data)
            assert back.receive_to_end() == b""
        the_traffic_goes_on(other_front, other_back)
        relay.failures_expected = 1
    (closed, _) = relay.of_kind(RecordKind.CONNECTION_CLOSED)
    assert "of all things" in str(closed.details["how"])
    listener.close()


def test_more_descriptors_in_flight_than_this_process_may_have_open() -> None:
    """Runs without the privileges that lift the limit; the script prints its result."""
    without = "-sys_resource,-sys_admin"
    command = [
        "setpriv",
        "--bounding-set",
        without,
        "--inh-caps",
        without,
        sys.executable,
        "-m",
        "tests.proxy.in_flight",
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout) == (0, "all arrived\n"), result.stderr
