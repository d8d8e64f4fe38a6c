"""How a connection ends: everything that was sent is delivered first, and the record has who closed it and how."""

import os
import socket
import struct
from pathlib import Path

import pytest

from tests.proxy.harness import Listener, Peer, call, conversation, eventually, message, relaying
from vudissect.capture.record import Mark, RecordKind
from vudissect.protocol.model import Side

FEATURES = message("GET_FEATURES")
REPLY = message("GET_FEATURES", bytes(8), flags=5)
NUM = message("SET_VRING_NUM", bytes(8))
KICK = message("SET_VRING_KICK", bytes(8))
TABLE = message("SET_MEM_TABLE", bytes(40))


def half_close(peer: Peer) -> None:
    peer.socket.shutdown(socket.SHUT_WR)


def cannot_send(peer: Peer) -> bool:
    try:
        peer.send(NUM)
    except (BrokenPipeError, ConnectionResetError):
        return True
    return False


def test_the_front_end_closes(tmp_path: Path) -> None:
    with conversation(tmp_path) as (relay, front, back):
        front.send(NUM)
        front.close()
        assert back.receive_to_end() == NUM
    (closed,) = relay.of_kind(RecordKind.CONNECTION_CLOSED)
    assert closed.details == {"by": "front-end", "how": "eof", "undelivered": 0}


def test_the_back_end_closes(tmp_path: Path) -> None:
    with conversation(tmp_path) as (relay, front, back):
        back.send(REPLY)
        back.close()
        assert front.receive_to_end() == REPLY
    (closed,) = relay.of_kind(RecordKind.CONNECTION_CLOSED)
    assert closed.details == {"by": "back-end", "how": "eof", "undelivered": 0}


def test_a_half_close_is_passed_on_as_one(tmp_path: Path) -> None:
    with conversation(tmp_path) as (relay, front, back):
        front.send(FEATURES)
        half_close(front)
        assert back.receive_to_end() == FEATURES
        back.send(REPLY)
        back.close()
        assert front.receive_to_end() == REPLY
    (closed,) = relay.of_kind(RecordKind.CONNECTION_CLOSED)
    assert closed.details == {"by": "front-end", "how": "half-close", "undelivered": 0}


def test_after_a_half_close_a_full_one_is_noticed(tmp_path: Path) -> None:
    with conversation(tmp_path) as (_, front, back):
        half_close(front)
        assert back.receive() == (b"", [])
        front.close()
        # Nothing is read from the back-end any more: it notices by writing.
        eventually(lambda: cannot_send(back))


def test_a_peer_that_closes_without_having_read_resets(tmp_path: Path) -> None:
    with conversation(tmp_path) as (relay, front, back):
        front.send(NUM)
        eventually(lambda: not back.has_nothing())
        back.send(REPLY)
        back.close()
        assert front.receive_to_end() == REPLY
    (closed,) = relay.of_kind(RecordKind.CONNECTION_CLOSED)
    assert closed.details["by"] == "back-end"
    assert closed.details["how"] == "reset"


def test_a_peer_that_closes_while_it_is_written_to(tmp_path: Path) -> None:
    with conversation(tmp_path) as (relay, front, back):
        with relay.busy():
            back.close()
            front.send(NUM)
        assert front.at_end()
    (closed,) = relay.of_kind(RecordKind.CONNECTION_CLOSED)
    assert closed.details == {"by": "back-end", "how": "eof", "undelivered": len(NUM)}


def test_undeliverable_data_is_recorded(tmp_path: Path) -> None:
    with conversation(tmp_path) as (relay, front, back):
        front.send(FEATURES)
        assert back.receive() == (FEATURES, [])
        # Both at once, as the relay sees it.
        with relay.busy():
            back.send(REPLY)
            front.close()
        assert back.at_end()
    assert [(record.data, record.marks) for record in relay.messages] == [
        (FEATURES, Mark(0)),
        (REPLY, Mark.NOT_FORWARDED),
    ]
    (closed,) = relay.of_kind(RecordKind.CONNECTION_CLOSED)
    assert closed.details["undelivered"] == len(REPLY)


def test_a_peer_that_only_stops_reading_continues_to_send(tmp_path: Path) -> None:
    with conversation(tmp_path) as (relay, front, back):
        back.socket.shutdown(socket.SHUT_RD)
        eventually(lambda: cannot_send(front))
        back.send(REPLY)
        assert front.receive() == (REPLY, [])
        back.close()
        assert front.receive_to_end() == b""
    (closed,) = relay.of_kind(RecordKind.CONNECTION_CLOSED)
    assert (closed.details["by"], closed.details["how"]) == ("back-end", "stopped reading")


def test_the_end_within_a_message(tmp_path: Path) -> None:
    event = os.eventfd(0)
    with conversation(tmp_path) as (relay, front, back):
        front.send_and_see_it_read(NUM)
        front.send(KICK[:15], event)
        front.close()
        assert back.receive_message() == (NUM, [])
        data, fds = back.receive()
        assert (data, len(fds)) == (KICK[:15], 1)
        assert back.at_end()
    assert [record.marks for record in relay.messages] == [Mark(0), Mark.CUT_SHORT]
    assert relay.messages[1].length == 15


def test_the_end_within_a_long_message(tmp_path: Path) -> None:
    start = struct.pack("=III", 8, 1, 0xFFFF_FFFF) + bytes(1000)
    with conversation(tmp_path) as (relay, front, back):
        front.send(start)
        front.close()
        assert back.receive_to_end() == start
    (record,) = relay.messages
    assert (record.length, record.data, record.marks) == (len(start), start, Mark.SPLIT | Mark.CUT_SHORT)


def test_descriptors_sent_just_before_the_end_arrive(tmp_path: Path) -> None:
    event = os.eventfd(0)
    with conversation(tmp_path) as (_, front, back):
        front.send(KICK, event)
        front.close()
        _, fds = back.receive()
        assert len(fds) == 1


SESSION = [(FEATURES, 0), (TABLE, 1), (NUM, 0), (KICK, 1), (KICK, 1)]
LENGTH = sum(len(data) for data, _ in SESSION)


def say(peer: Peer, length: int) -> None:
    """Send the first `length` bytes of the session, then hang up."""
    event = os.eventfd(0)
    for data, descriptors in SESSION:
        part = data[:length]
        if part:
            peer.send(part, *[event] * descriptors)
        length -= len(part)
    os.close(event)
    peer.close()


@pytest.mark.parametrize("side", [Side.FRONT_END, Side.BACK_END])
def test_a_peer_that_dies_at_any_byte_of_a_session(tmp_path: Path, side: Side) -> None:
    everything = b"".join(data for data, _ in SESSION)
    listener = Listener(tmp_path / "back.sock")
    with relaying(tmp_path) as relay:
        for length in range(LENGTH + 1):
            front = call(relay.front_path)
            back = listener.accept()
            dying, other = (front, back) if side is Side.FRONT_END else (back, front)
            say(dying, length)
            received, fds = bytearray(), 0
            while True:
                data, some = other.receive()
                if not data:
                    break
                received += data
                fds += len(some)
                for fd in some:
                    os.close(fd)
            assert received == everything[:length]
            assert fds == sum(
                descriptors
                for position, (_, descriptors) in enumerate(SESSION)
                if sum(len(data) for data, _ in SESSION[:position]) < length
            )
            other.close()
    closed = relay.of_kind(RecordKind.CONNECTION_CLOSED)
    assert [record.details["by"] for record in closed] == [side.label] * (LENGTH + 1)


def test_stopping_delivers_what_was_received(tmp_path: Path) -> None:
    with conversation(tmp_path) as (relay, front, back):
        with relay.busy():
            front.send(NUM + KICK[:5])
            back.send(REPLY)
            relay.relay.stop()
        relay.wait()
        assert back.receive_to_end() == NUM + KICK[:5]
        assert front.receive_to_end() == REPLY
    (closed,) = relay.of_kind(RecordKind.CONNECTION_CLOSED)
    assert closed.details == {"by": "proxy", "how": "stopped", "undelivered": 0}
