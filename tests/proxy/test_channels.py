"""Channels that a message opens: the relay interposes, and they end with their connection."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.proxy.harness import Peer, conversation, eventually, message
from vudissect.capture.record import Mark, RecordKind
from vudissect.host.descriptor import DescriptorKind
from vudissect.protocol.model import Channel, Side

OPENERS = [("SET_BACKEND_REQ_FD", Channel.BACKEND), ("GPU_SET_SOCKET", Channel.GPU)]
OPEN = message("SET_BACKEND_REQ_FD")
CHANGE = message("CONFIG_CHANGE_MSG", channel=Channel.BACKEND)
ACK = message("CONFIG_CHANGE_MSG", bytes(8), flags=5, channel=Channel.BACKEND)


def hand_over(front: Peer, back: Peer, opening: bytes = OPEN, room: int | None = None) -> tuple[Peer, Peer]:
    """Let the front-end open a channel; returns the front-end's and the back-end's end of it.

    `room`: how many bytes can be in transit to the front-end.
    """
    kept, given = socket.socketpair()
    if room:
        given.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
    front.send(opening, given.fileno())
    given.close()
    data, (fd,) = back.receive()
    assert data == opening
    return Peer(kept), Peer(socket.socket(fileno=fd))


@pytest.mark.parametrize(("name", "channel"), OPENERS)
def test_a_channel_is_relayed_and_recorded(tmp_path: Path, name: str, channel: Channel) -> None:
    request, reply = b"\1\0\0\0\0\0\0\0\0\0\0\0", b"\1\0\0\0\4\0\0\0\0\0\0\0"
    with conversation(tmp_path) as (relay, front, back):
        front_channel, back_channel = hand_over(front, back, message(name))
        back_channel.send(request)
        assert front_channel.receive() == (request, [])
        front_channel.send(reply)
        assert back_channel.receive() == (reply, [])
    opening, first, second = relay.messages
    assert (opening.channel, opening.data) == (Channel.MAIN, message(name))
    assert (first.channel, first.sender, first.data) == (channel, Side.BACK_END, request)
    assert (second.channel, second.sender, second.data) == (channel, Side.FRONT_END, reply)
    (opened,) = relay.of_kind(RecordKind.CHANNEL_OPENED)
    assert (opened.channel, opened.details) == (channel, {"by_sequence": opening.sequence})


def test_the_recorded_descriptor_is_the_front_ends(tmp_path: Path) -> None:
    kept, given = socket.socketpair()
    inode = os.fstat(given.fileno()).st_ino
    with conversation(tmp_path) as (relay, front, back):
        front.send(OPEN, given.fileno())
        _, (fd,) = back.receive()
        assert os.fstat(fd).st_ino != inode
    (descriptor,) = relay.messages[0].descriptors
    assert descriptor.kind is DescriptorKind.SOCKET
    assert descriptor.identity.endswith(f":{inode}")
    kept.close()


def test_descriptors_pass_on_a_channel(tmp_path: Path) -> None:
    event = os.eventfd(0)
    mapping = message("SHMEM_MAP", bytes(40), channel=Channel.BACKEND)
    with conversation(tmp_path) as (relay, front, back):
        front_channel, back_channel = hand_over(front, back)
        back_channel.send(mapping, event)
        data, fds = front_channel.receive()
        assert (data, len(fds)) == (mapping, 1)
        assert os.path.sameopenfile(fds[0], event)
    assert [descriptor.kind for descriptor in relay.messages[1].descriptors] == [DescriptorKind.EVENTFD]


def test_the_blocking_mode_is_also_handed_over(tmp_path: Path) -> None:
    with conversation(tmp_path) as (_, front, back):
        kept, given = socket.socketpair()
        given.setblocking(False)
        front.send(OPEN, given.fileno())
        _, (fd,) = back.receive()
        assert not os.get_blocking(fd)
        kept.close()


def test_the_front_ends_own_socket_keeps_its_blocking_mode(tmp_path: Path) -> None:
    with conversation(tmp_path) as (_, front, back):
        kept, given = socket.socketpair()
        front.send(OPEN, given.fileno())
        back.receive()
        assert os.get_blocking(given.fileno())
        kept.close()


def test_a_channel_ends_with_its_connection(tmp_path: Path) -> None:
    with conversation(tmp_path) as (relay, front, back):
        front_channel, back_channel = hand_over(front, back)
        back_channel.send(CHANGE)
        front.close()
        assert front_channel.receive_to_end() == CHANGE
        assert back_channel.receive_to_end() == b""
    (closed,) = relay.of_kind(RecordKind.CHANNEL_CLOSED)
    assert closed.details == {"by": "proxy", "how": "the main channel was closed", "undelivered": 0}


def test_data_on_a_channel_is_delivered_after_the_main_one_has_closed(tmp_path: Path) -> None:
    updates = [message("CONFIG_CHANGE_MSG", bytes([number]) * 3000, channel=Channel.BACKEND) for number in range(8)]
    with conversation(tmp_path) as (relay, front, back):
        front_channel, back_channel = hand_over(front, back, room=8192)
        with relay.busy():
            for update in updates:
                back_channel.send(update)
            front.close()
        assert back.at_end()
        assert front_channel.receive_to_end() == b"".join(updates)
    assert [record.data for record in relay.messages[1:]] == updates
    assert not any(record.marks & Mark.NOT_FORWARDED for record in relay.messages)
    (closed,) = relay.of_kind(RecordKind.CHANNEL_CLOSED)
    assert closed.details == {"by": "proxy", "how": "the main channel was closed", "undelivered": 0}


def test_a_peer_that_does_not_read_its_channel_does_not_keep_the_connection(tmp_path: Path) -> None:
    update = message("CONFIG_CHANGE_MSG", bytes(3000), channel=Channel.BACKEND)
    with conversation(tmp_path) as (relay, front, back):
        _front_channel, back_channel = hand_over(front, back, room=8192)
        # Until the relay accepts no more, because nobody reads from it.
        back_channel.socket.settimeout(0.2)
        with suppress(TimeoutError):
            while True:
                back_channel.send(update)
        front.close()
        assert back.at_end()
        eventually(lambda: bool(relay.of_kind(RecordKind.CONNECTION_CLOSED)))
    (closed,) = relay.of_kind(RecordKind.CHANNEL_CLOSED)
    assert int(closed.details["undelivered"]) > 0


def test_a_connection_does_not_end_with_its_channel(tmp_path: Path) -> None:
    with conversation(tmp_path) as (relay, front, back):
        front_channel, back_channel = hand_over(front, back)
        back_channel.close()
        assert front_channel.receive_to_end() == b""
        front.send(OPEN)
        assert back.receive() == (OPEN, [])
    (closed,) = relay.of_kind(RecordKind.CHANNEL_CLOSED)
    assert closed.details == {"by": "back-end", "how": "eof", "undelivered": 0}


def test_a_second_channel_takes_over_while_the_first_continues(tmp_path: Path) -> None:
    with conversation(tmp_path) as (relay, front, back):
        pairs = [hand_over(front, back) for _ in range(2)]
        for front_channel, back_channel in pairs:
            back_channel.send(CHANGE)
            assert front_channel.receive() == (CHANGE, [])
    assert [record.channel for record in relay.messages].count(Channel.BACKEND) == 2
    assert len(relay.of_kind(RecordKind.CHANNEL_CLOSED)) == 2


def test_channels_are_not_interposed_on_request(tmp_path: Path) -> None:
    kept, given = socket.socketpair()
    with conversation(tmp_path, interpose=False) as (relay, front, back):
        front.send(OPEN, given.fileno())
        _, (fd,) = back.receive()
        assert os.path.sameopenfile(fd, given.fileno())
    assert relay.of_kind(RecordKind.CHANNEL_OPENED) == []
    kept.close()


def a_pipe() -> int:
    return os.pipe()[1]


def a_datagram_socket() -> int:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].detach()


def an_unconnected_socket() -> int:
    return socket.socket(socket.AF_UNIX).detach()


def an_internet_socket() -> int:
    return socket.socket(socket.AF_INET).detach()


@pytest.mark.parametrize("make", [a_pipe, a_datagram_socket, an_unconnected_socket, an_internet_socket])
def test_anything_but_a_stream_socket_is_passed_on_unchanged(tmp_path: Path, make: Callable[[], int]) -> None:
    given = make()
    with conversation(tmp_path) as (relay, front, back):
        front.send(OPEN, given)
        data, (fd,) = back.receive()
        assert data == OPEN
        assert os.path.sameopenfile(fd, given)
    (note,) = relay.of_kind(RecordKind.NOTE)
    assert "SET_BACKEND_REQ_FD" in str(note.details["text"])
    assert relay.of_kind(RecordKind.CHANNEL_OPENED) == []


def test_several_descriptors_are_passed_on_unchanged(tmp_path: Path) -> None:
    one, other = socket.socketpair()
    sockets = [one.fileno(), other.fileno()]
    with conversation(tmp_path) as (relay, front, back):
        front.send(OPEN, *sockets)
        _, fds = back.receive()
        assert all(map(os.path.sameopenfile, fds, sockets))
    assert len(relay.of_kind(RecordKind.NOTE)) == 1


def test_only_the_front_end_can_open_a_channel(tmp_path: Path) -> None:
    kept, given = socket.socketpair()
    with conversation(tmp_path) as (relay, front, back):
        back.send(OPEN, given.fileno())
        _, (fd,) = front.receive()
        assert os.path.sameopenfile(fd, given.fileno())
    assert relay.of_kind(RecordKind.CHANNEL_OPENED) == []
    kept.close()


def test_a_channel_has_the_byte_order_of_its_connection(tmp_path: Path) -> None:
    opening = message("GPU_SET_SOCKET", order=">")
    update = bytes.fromhex("00000008 00000000 00000004") + bytes(4)
    with conversation(tmp_path) as (relay, front, back):
        front_channel, back_channel = hand_over(front, back, opening)
        back_channel.send(update)
        assert front_channel.receive() == (update, [])
    assert relay.messages[1].marks == Mark.BIG_ENDIAN
    assert relay.messages[1].length == len(update)


def test_channels_that_come_and_go_leave_nothing_open(tmp_path: Path) -> None:
    with conversation(tmp_path) as (_, front, back):
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            front_channel, back_channel = hand_over(front, back)
            front_channel.close()
            assert back_channel.receive_to_end() == b""
            back_channel.close()
        # Fewer is fine: something from the start may still have been open before, and twenty leaks would be noticed.
        eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)
