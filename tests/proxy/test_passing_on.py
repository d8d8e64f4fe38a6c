"""What goes in comes out: bytes, descriptors, and one message at a time."""

import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.proxy.harness import Peer, conversation, in_background, message
from vudissect.capture.record import Mark
from vudissect.host.descriptor import DescriptorKind
from vudissect.protocol.model import Side

NUM = message("SET_VRING_NUM", bytes(8))
ADDR = message("SET_VRING_ADDR", bytes(40))
KICK = message("SET_VRING_KICK", bytes(8))
FEATURES = message("GET_FEATURES")
FEATURES_REPLY = message("GET_FEATURES", bytes(8), flags=5)


def same_file(one: int, other: int) -> bool:
    return os.path.sameopenfile(one, other)


def pass_something(sender: Peer, receiver: Peer) -> None:
    """So that the relay has done whatever it was going to do about what it had read before."""
    sender.send(FEATURES)
    assert receiver.receive() == (FEATURES, [])


def test_a_request_and_its_reply(tmp_path: Path) -> None:
    with conversation(tmp_path) as (relay, front, back):
        front.send(FEATURES)
        assert back.receive() == (FEATURES, [])
        back.send(FEATURES_REPLY)
        assert front.receive() == (FEATURES_REPLY, [])
    request, reply = relay.messages
    assert (request.sender, request.data) == (Side.FRONT_END, FEATURES)
    assert (reply.sender, reply.data) == (Side.BACK_END, FEATURES_REPLY)
    assert request.received <= request.forwarded <= reply.received <= reply.forwarded


def close_all(fds: Iterable[int]) -> None:
    """Make room for those of other tests."""
    for fd in fds:
        os.close(fd)


def test_descriptors_arrive_in_order(tmp_path: Path) -> None:
    files = [os.open(tmp_path / name, os.O_CREAT | os.O_RDWR) for name in "abcdefgh"]
    with conversation(tmp_path) as (relay, front, back):
        front.send(message("SET_MEM_TABLE", bytes(264)), *files)
        _, received = back.receive()
        assert len(received) == len(files)
        assert all(map(same_file, files, received))
    names = [descriptor.name for descriptor in relay.messages[0].descriptors]
    assert names == [str(tmp_path / name) for name in "abcdefgh"]


def test_as_many_descriptors_as_the_kernel_allows(tmp_path: Path) -> None:
    event = os.eventfd(0)
    with conversation(tmp_path) as (relay, front, back):
        front.send(KICK, *[event] * 253)
        _, received = back.receive()
        assert len(received) == 253
    assert len(relay.messages[0].descriptors) == 253
    close_all(received)


def test_descriptors_of_the_last_of_several_messages_stay_with_it(tmp_path: Path) -> None:
    event = os.eventfd(0)
    with conversation(tmp_path) as (relay, front, back):
        with relay.busy():
            front.send(NUM + ADDR)
            front.send(KICK, event)
        assert [len(back.receive_message()[1]) for _ in range(3)] == [0, 0, 1]
    kinds = [[descriptor.kind for descriptor in record.descriptors] for record in relay.messages]
    assert kinds == [[], [], [DescriptorKind.EVENTFD]]


def test_descriptors_stay_with_a_message_that_the_table_allows_none(tmp_path: Path) -> None:
    event = os.eventfd(0)
    with conversation(tmp_path) as (relay, front, back):
        with relay.busy():
            front.send(KICK)
            front.send(NUM, event)
        assert [len(back.receive_message()[1]) for _ in range(2)] == [0, 1]
    assert [len(record.descriptors) for record in relay.messages] == [0, 1]


def test_descriptors_of_a_write_with_several_messages_go_with_the_first_as_without_a_relay(tmp_path: Path) -> None:
    event = os.eventfd(0)
    with conversation(tmp_path) as (relay, front, back):
        front.send(NUM + KICK, event)
        assert [len(back.receive_message()[1]) for _ in range(2)] == [1, 0]
    assert [len(record.descriptors) for record in relay.messages] == [1, 0]


def test_a_message_in_two_writes_leaves_in_one(tmp_path: Path) -> None:
    event = os.eventfd(0)
    with conversation(tmp_path) as (relay, front, back):
        back.send_and_see_it_read(FEATURES_REPLY[:12], event)
        pass_something(front, back)
        assert front.has_nothing()
        back.send(FEATURES_REPLY[12:])
        data, fds = front.receive()
        assert (data, len(fds)) == (FEATURES_REPLY, 1)
    assert [record.marks for record in relay.messages] == [Mark(0), Mark.SPLIT]


def test_a_message_byte_by_byte_leaves_in_one_piece(tmp_path: Path) -> None:
    with conversation(tmp_path) as (_, front, back):
        for position in range(len(ADDR) - 1):
            front.send_and_see_it_read(ADDR[position : position + 1])
        pass_something(back, front)
        assert back.has_nothing()
        front.send(ADDR[-1:])
        assert back.receive() == (ADDR, [])


def test_glued_messages_are_recorded_one_by_one(tmp_path: Path) -> None:
    with conversation(tmp_path) as (relay, front, back):
        front.send(NUM + ADDR + KICK)
        assert back.receive_all(len(NUM + ADDR + KICK)) == NUM + ADDR + KICK
    assert [record.marks for record in relay.messages] == [Mark(0), Mark.GLUED, Mark.GLUED]
    assert [record.data for record in relay.messages] == [NUM, ADDR, KICK]


def test_descriptors_that_come_with_the_payload_stay_with_it(tmp_path: Path) -> None:
    event = os.eventfd(0)
    with conversation(tmp_path) as (relay, front, back):
        front.send(KICK[:12])
        front.send(KICK[12:], event)
        assert back.receive(12) == (KICK[:12], [])
        payload, fds = back.receive(8)
        assert (payload, len(fds)) == (KICK[12:], 1)
    assert relay.messages[0].marks & Mark.LATE_DESCRIPTORS
    assert len(relay.messages[0].descriptors) == 1


def test_more_descriptors_on_one_message_than_one_call_can_take(tmp_path: Path) -> None:
    event = os.eventfd(0)
    with conversation(tmp_path) as (relay, front, back):
        front.send(KICK[:12], *[event] * 200)
        front.send(KICK[12:], *[event] * 200)
        received = [back.receive(size)[1] for size in (12, 8)]
        assert [*map(len, received)] == [200, 200]
    assert len(relay.messages[0].descriptors) == 400
    close_all(fd for fds in received for fd in fds)
    assert relay.recorder.descriptors_lost == 0


def test_a_long_message_does_not_wait_for_its_end(tmp_path: Path) -> None:
    start = struct.pack("=III", 8, 0, 0xFFFF_FFFF) + b"beginning"
    with conversation(tmp_path) as (_, front, back):
        front.send(start)
        assert back.receive() == (start, [])


@pytest.mark.parametrize("size", [65536 - 12, 65536 - 11, 4_096_008])
def test_a_long_message_arrives_whole(tmp_path: Path, size: int) -> None:
    pixels = os.urandom(size)
    event = os.eventfd(0)
    update = message("SET_VRING_NUM", pixels)

    def send() -> None:
        front.send(update[:1000], event)
        front.send(update[1000:] + NUM)

    with conversation(tmp_path, snaplen=100) as (relay, front, back), in_background(send):
        first, fds = back.receive(1)
        assert len(fds) == 1
        assert first + back.receive_all(len(update) + len(NUM) - 1) == update + NUM
    long, short = relay.messages
    assert (long.length, long.data) == (len(update), update[:100])
    assert [descriptor.kind for descriptor in long.descriptors] == [DescriptorKind.EVENTFD]
    assert short.data == NUM


def test_both_directions_are_independent(tmp_path: Path) -> None:
    with conversation(tmp_path) as (relay, front, back):
        front.send(NUM[:5])
        back.send(FEATURES_REPLY)
        assert front.receive() == (FEATURES_REPLY, [])
        front.send(NUM[5:])
        assert back.receive() == (NUM, [])
    assert [record.sender for record in relay.messages] == [Side.BACK_END, Side.FRONT_END]


def test_a_big_endian_conversation(tmp_path: Path) -> None:
    event = os.eventfd(0)
    num = message("SET_VRING_NUM", bytes(8), order=">")
    reply = message("GET_FEATURES", bytes(8), flags=5, order=">")
    with conversation(tmp_path) as (relay, front, back):
        front.send(num + num, event)
        assert back.receive_all(2 * len(num)) == num + num
        back.send(reply)
        assert front.receive() == (reply, [])
    assert [record.marks & Mark.BIG_ENDIAN for record in relay.messages] == [Mark.BIG_ENDIAN] * 3


def test_the_byte_order_can_be_given(tmp_path: Path) -> None:
    # In the other order its size would be 8 x 2^24.
    odd = struct.pack(">III", 2000, 0, 8) + bytes(8)
    with conversation(tmp_path, byte_order="big") as (relay, front, back):
        front.send(odd)
        assert back.receive() == (odd, [])
    assert relay.messages[0].length == len(odd)


def test_bytes_that_are_not_a_message_pass_too(tmp_path: Path) -> None:
    noise = os.urandom(7)
    with conversation(tmp_path) as (relay, front, back):
        front.send(noise)
        front.close()
        assert back.receive_to_end() == noise
    assert (relay.messages[0].data, relay.messages[0].marks) == (noise, Mark.CUT_SHORT)


def test_descriptors_are_closed_once_recorded(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with conversation(tmp_path) as (_, front, back):
        front.send(KICK, writing)
        for fd in (*back.receive()[1], writing):
            os.close(fd)
        # With every copy of the other end closed, a pipe is at its end.
        assert os.read(reading, 1) == b""


def test_a_socket_that_adds_credentials(tmp_path: Path) -> None:
    """Credentials are added by the kernel; they are not the sender's to be passed on."""
    with conversation(tmp_path) as (_, front, back):
        back.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        front.send(FEATURES)
        data, ancillary, _, _ = back.socket.recvmsg(100, 100)
        assert data == FEATURES
        assert [kind for _, kind, _ in ancillary] == [socket.SCM_CREDENTIALS]
