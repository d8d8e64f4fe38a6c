"""Whole messages over a real socket, and what is reported if they are not whole."""

import os
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from vudissect.compare.outcome import Trouble
from vudissect.replay.stream import MOST_PIXELS, SocketStream, StreamError

HEADER = struct.Struct("<III")
MESSAGE = HEADER.pack(2, 1, 8) + bytes(8)


def soon(seconds: float = 10.0) -> float:
    return time.monotonic() + seconds


@pytest.fixture
def ends() -> Iterator[tuple[SocketStream, socket.socket]]:
    """Our stream, and the socket of the peer."""
    ours, theirs = socket.socketpair()
    stream = SocketStream(ours)
    yield stream, theirs
    stream.close()
    theirs.close()


def test_messages_that_arrive_together_are_received_one_by_one(ends: tuple[SocketStream, socket.socket]) -> None:
    stream, peer = ends
    peer.sendall(MESSAGE + HEADER.pack(3, 1, 0))

    assert [stream.receive(soon(), "little").data for _ in range(2)] == [MESSAGE, HEADER.pack(3, 1, 0)]


def test_a_message_in_pieces_is_received_whole_with_its_descriptor(ends: tuple[SocketStream, socket.socket]) -> None:
    stream, peer = ends
    event = os.eventfd(0)
    socket.send_fds(peer, [MESSAGE[:12]], [event])
    os.close(event)
    peer.sendall(MESSAGE[12:])

    raw = stream.receive(soon(), "little")

    assert raw.data == MESSAGE
    assert os.readlink(f"/proc/self/fd/{raw.descriptors[0]}") == "anon_inode:[eventfd]"
    os.close(raw.descriptors[0])


def test_a_big_endian_message_is_as_long_as_it_says(ends: tuple[SocketStream, socket.socket]) -> None:
    stream, peer = ends
    message = struct.pack(">III", 2, 1, 8) + bytes(8)
    peer.sendall(message)

    assert stream.receive(soon(), "big").data == message


def trouble(stream: SocketStream, deadline: float) -> StreamError:
    with pytest.raises(StreamError) as caught:
        stream.receive(deadline, "little")
    return caught.value


def test_nothing_in_time_is_silence(ends: tuple[SocketStream, socket.socket]) -> None:
    error = trouble(ends[0], soon(0.01))

    assert (error.trouble, str(error)) == (Trouble.SILENCE, "the other side sent nothing in time")


def test_half_a_message_is_reported_with_its_bytes(ends: tuple[SocketStream, socket.socket]) -> None:
    stream, peer = ends
    peer.sendall(MESSAGE[:15])

    error = trouble(stream, soon(0.01))

    assert error.data == MESSAGE[:15]
    assert str(error) == "the other side sent nothing in time after 15 of 20 bytes of a message"


def test_the_end_of_the_stream_is_a_closed_connection(ends: tuple[SocketStream, socket.socket]) -> None:
    stream, peer = ends
    peer.close()

    assert trouble(stream, soon()).trouble is Trouble.CLOSED


def test_messages_before_the_end_are_received(ends: tuple[SocketStream, socket.socket]) -> None:
    stream, peer = ends
    peer.sendall(MESSAGE)
    peer.close()

    assert stream.receive(soon(), "little").data == MESSAGE


def test_a_header_that_claims_gigabytes_is_garbage_and_not_waited_for(ends: tuple[SocketStream, socket.socket]) -> None:
    stream, peer = ends
    peer.sendall(b"\xff" * 12)

    error = trouble(stream, soon())

    assert error.trouble is Trouble.OTHER
    assert "4294967295 bytes" in str(error)


def test_a_long_message_is_passed_to_a_slow_reader(ends: tuple[SocketStream, socket.socket]) -> None:
    stream, peer = ends
    long = HEADER.pack(8, 1, 4 << 20) + bytes(4 << 20)
    other = SocketStream(peer)
    import threading

    sender = threading.Thread(target=stream.send, args=(long, (), soon()))
    sender.start()
    received = other.receive(soon(), "little")
    sender.join()

    assert received.data == long


def test_a_peer_that_reads_nothing_is_silent(ends: tuple[SocketStream, socket.socket]) -> None:
    with pytest.raises(StreamError, match="accepted nothing more in time"):
        ends[0].send(bytes(8 << 20), (), soon(0.05))


def test_more_descriptors_than_a_message_can_have_are_not_a_closed_connection(
    ends: tuple[SocketStream, socket.socket],
) -> None:
    with pytest.raises(StreamError, match="254 descriptors cannot be passed with one message, 253 can") as caught:
        ends[0].send(MESSAGE, [0] * 254, soon())

    assert caught.value.trouble is Trouble.OTHER


def test_descriptors_of_a_header_that_claims_too_much_are_closed(ends: tuple[SocketStream, socket.socket]) -> None:
    stream, peer = ends
    event = os.eventfd(0)
    before = len(os.listdir("/proc/self/fd"))
    socket.send_fds(peer, [b"\xff" * 12], [event])

    trouble(stream, soon())

    assert len(os.listdir("/proc/self/fd")) == before
    os.close(event)


def test_pictures_may_be_longer_than_other_messages(ends: tuple[SocketStream, socket.socket]) -> None:
    stream, peer = ends
    peer.sendall(HEADER.pack(8, 0, 17 << 20))

    assert trouble(SocketStream(stream.socket, MOST_PIXELS), soon(0.01)).trouble is Trouble.SILENCE
    peer.sendall(HEADER.pack(8, 0, 17 << 20))
    assert trouble(stream, soon()).trouble is Trouble.OTHER


def test_a_peer_that_is_gone_has_closed(ends: tuple[SocketStream, socket.socket]) -> None:
    stream, peer = ends
    peer.close()

    with pytest.raises(StreamError, match="the other side has closed"):
        stream.send(MESSAGE, (), soon())
