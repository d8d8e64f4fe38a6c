"""Faults between two live peers: what each of them gets, and what is recorded."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from tests.proxy.harness import Listener, Peer, RunningRelay, call, conversation, eventually, message, relaying
from vudissect.capture.record import Mark, RecordKind
from vudissect.faults.engine import Engine
from vudissect.faults.language import read_fault
from vudissect.host.inspect import inspect
from vudissect.protocol.model import Channel

OWNER = message("SET_OWNER")
FEATURES = message("GET_FEATURES")
WITHHELD = Mark.NOT_FORWARDED | Mark.WITHHELD


def num(ring: int, size: int = 64) -> bytes:
    return message("SET_VRING_NUM", ring.to_bytes(4, "little") + size.to_bytes(4, "little"))


def kick(ring: int) -> bytes:
    return message("SET_VRING_KICK", ring.to_bytes(8, "little"))


@contextmanager
def faulted(folder: Path, *faults: str) -> Iterator[tuple[RunningRelay, Peer, Peer]]:
    """A front-end and a back-end with faults between them."""
    engine = Engine([read_fault(text, number) for number, text in enumerate(faults, 1)])
    with conversation(folder, faults=engine) as talk:
        yield talk


def recorded(relay: RunningRelay) -> list[tuple[bytes, Mark]]:
    return [(record.data, record.marks & ~Mark.GLUED & ~Mark.SPLIT) for record in relay.messages]


def outcomes(relay: RunningRelay) -> list[object]:
    return [record.details["outcome"] for record in relay.of_kind(RecordKind.FAULT)]


def test_a_dropped_message_is_recorded_and_what_follows_arrives(tmp_path: Path) -> None:
    with faulted(tmp_path, "SET_OWNER : drop") as (relay, front, back):
        front.send(OWNER)
        front.send(FEATURES)
        assert back.receive_all(len(FEATURES)) == FEATURES

    assert recorded(relay) == [(OWNER, WITHHELD), (FEATURES, Mark(0))]
    assert outcomes(relay) == ["injected"]


def test_a_changed_message_is_recorded_as_sent_and_as_delivered(tmp_path: Path) -> None:
    with faulted(tmp_path, "SET_VRING_NUM : set num=63") as (relay, front, back):
        front.send(num(0))
        assert back.receive_all(20) == num(0, 63)

    assert recorded(relay) == [(num(0), WITHHELD), (num(0, 63), Mark.INJECTED)]


def test_the_fault_comes_before_its_messages(tmp_path: Path) -> None:
    with faulted(tmp_path, "SET_VRING_NUM : set num=63") as (relay, front, back):
        front.send(num(0))
        back.receive_all(20)

    kinds = [record.kind for record in relay.records]
    assert kinds[1:4] == [RecordKind.FAULT, RecordKind.MESSAGE, RecordKind.MESSAGE]
    sequences = [record.sequence for record in relay.records]
    assert sequences == sorted(sequences)


def test_an_answer_in_the_place_of_the_back_end(tmp_path: Path) -> None:
    with faulted(tmp_path, "GET_CONFIG : error") as (relay, front, back):
        front.send(message("GET_CONFIG", bytes(12)))
        assert front.receive_all(12) == message("GET_CONFIG", flags=5)
        front.send(OWNER)
        assert back.receive_all(12) == OWNER

    assert [record.sender.label for record in relay.messages] == ["front-end", "back-end", "front-end"]


def test_a_delay_also_delays_what_comes_after_it_but_not_the_other_direction(tmp_path: Path) -> None:
    with faulted(tmp_path, "SET_OWNER : delay 1000s") as (_, front, back):
        front.send_and_see_it_read(OWNER + num(0))
        back.send(num(7))
        assert front.receive_all(20) == num(7)
        assert back.has_nothing()


def test_what_was_delayed_arrives_in_its_order(tmp_path: Path) -> None:
    with faulted(tmp_path, "SET_OWNER : delay 300ms") as (relay, front, back):
        began = monotonic()
        front.send(OWNER + num(0))
        assert back.receive_all(32) == OWNER + num(0)
        assert monotonic() - began >= 0.3

    owner = next(record for record in relay.messages if record.data == OWNER)
    assert owner.forwarded - owner.received >= 300_000_000


def test_a_message_in_two_parts(tmp_path: Path) -> None:
    read, write = os.pipe()
    with faulted(tmp_path, "SET_VRING_KICK : split 5 100ms") as (relay, front, back):
        front.send(kick(0), read)
        first, fds = back.receive()
        second, none = back.receive()
        assert (first, second, len(fds), none) == (kick(0)[:5], kick(0)[5:], 1, [])
        os.close(fds[0])
    os.close(read)
    os.close(write)

    assert recorded(relay) == [(kick(0), Mark(0))]


def test_two_messages_with_one_write(tmp_path: Path) -> None:
    with faulted(tmp_path, "SET_OWNER : coalesce") as (relay, front, back):
        front.send(OWNER)
        front.send(num(0))
        assert back.receive()[0] == OWNER + num(0)

    assert outcomes(relay) == ["injected"]


def test_a_message_overtakes_another(tmp_path: Path) -> None:
    with faulted(tmp_path, "SET_VRING_NUM and ring=0 : reorder") as (relay, front, back):
        front.send(num(0))
        front.send(num(1))
        assert back.receive_all(40) == num(1) + num(0)

    assert [record.data for record in relay.messages] == [num(1), num(0)]


def test_a_message_that_waits_for_another_does_not_wait_for_ever(tmp_path: Path) -> None:
    with faulted(tmp_path, "SET_VRING_NUM : reorder") as (relay, front, back):
        front.send(num(0))
        assert back.receive_all(20) == num(0)

    (report,) = relay.of_kind(RecordKind.FAULT)
    assert (report.details["outcome"], report.details["reason"]) == ("not injected", "no other message came in time")


def test_descriptors_are_withheld_replaced_and_repeated(tmp_path: Path) -> None:
    read, write = os.pipe()
    faults = (
        "SET_VRING_KICK and ring=0 : withhold-fd",
        "SET_VRING_KICK and ring=1 : replace-fd eventfd",
        "SET_VRING_KICK and ring=2 : duplicate",
    )
    received: list[list[str]] = []
    with faulted(tmp_path, *faults) as (relay, front, back):
        for ring, times in ((0, 1), (1, 1), (2, 2)):
            front.send(kick(ring), read)
            for _ in range(times):
                data, fds = back.receive_message()
                assert data == kick(ring)
                received.append([inspect(fd).kind.label for fd in fds])
                for fd in fds:
                    os.close(fd)
    os.close(read)
    os.close(write)

    assert received == [[], ["eventfd"], ["pipe"], ["pipe"]]
    assert [len(record.descriptors) for record in relay.messages] == [1, 0, 1, 1, 1, 1]


@pytest.mark.parametrize("words", ["back-end", "back-end after"])
def test_a_connection_is_closed_in_the_place_of_the_back_end(tmp_path: Path, words: str) -> None:
    with faulted(tmp_path, f"SET_OWNER : close {words}") as (relay, front, back):
        front.send(OWNER)
        assert front.at_end()
        assert back.receive_to_end() == (OWNER if "after" in words else b"")

    (closed,) = relay.of_kind(RecordKind.CONNECTION_CLOSED)
    assert (closed.details["by"], closed.details["how"]) == ("back-end", "fault 1")


def test_a_half_close_leaves_the_other_direction(tmp_path: Path) -> None:
    with faulted(tmp_path, "SET_OWNER : half-close front-end") as (relay, front, back):
        front.send(OWNER)
        assert back.at_end()
        back.send(num(0))
        assert front.receive_all(20) == num(0)
        front.send(FEATURES)
        eventually(front.all_was_read)

    assert recorded(relay) == [(OWNER, WITHHELD), (num(0), Mark(0)), (FEATURES, Mark.NOT_FORWARDED)]


def test_a_stalled_channel_passes_nothing_until_a_side_hangs_up(tmp_path: Path) -> None:
    with faulted(tmp_path, "SET_OWNER : stall") as (_, front, back):
        front.send(OWNER)
        front.send(FEATURES)
        back.send_and_see_it_read(num(0))
        assert front.has_nothing()
        front.socket.shutdown(socket.SHUT_WR)
        assert back.receive_to_end() == OWNER + FEATURES


def test_a_side_that_is_not_read_any_more(tmp_path: Path) -> None:
    with faulted(tmp_path, "SET_OWNER : stop-reading 300ms") as (_, front, back):
        began = monotonic()
        front.send(OWNER)
        assert back.receive_all(12) == OWNER
        front.send(num(0))
        assert back.receive_all(20) == num(0)
        assert monotonic() - began >= 0.3


def test_a_throttle(tmp_path: Path) -> None:
    with faulted(tmp_path, "SET_OWNER : throttle 20/s") as (_, front, back):
        front.send(OWNER)
        began = monotonic()
        front.send(num(0) * 5)
        assert back.receive_all(112) == OWNER + num(0) * 5
        assert monotonic() - began >= 0.19


def test_the_next_front_end_is_refused(tmp_path: Path) -> None:
    engine = Engine([read_fault("SET_OWNER : close back-end, refuse 2")])
    listener = Listener(tmp_path / "back.sock")
    with relaying(tmp_path, faults=engine) as relay:
        front = call(relay.front_path)
        back = listener.accept()
        front.send(OWNER)
        assert front.at_end()
        back.close()
        for _ in range(2):
            refused = call(relay.front_path)
            assert refused.at_end()
        again = call(relay.front_path)
        served = listener.accept()
        again.send(FEATURES)
        assert served.receive_all(12) == FEATURES
        for peer in (front, again, served):
            peer.close()
    listener.close()

    assert [record.details["action"] for record in relay.of_kind(RecordKind.FAULT)] == ["close, refuse"] + [
        "refuse"
    ] * 2


def test_a_message_for_another_channel_that_is_not_open_is_not_injected(tmp_path: Path) -> None:
    with faulted(tmp_path, "SET_OWNER : insert CONFIG_CHANGE_MSG") as (relay, front, back):
        front.send(OWNER)
        assert back.receive_all(12) == OWNER

    assert outcomes(relay) == ["not injected"]


def test_a_message_is_injected_on_another_channel(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with faulted(tmp_path, "SET_OWNER : insert CONFIG_CHANGE_MSG need_reply") as (relay, front, back):
        front.send(message("SET_BACKEND_REQ_FD"), theirs.fileno())
        theirs.close()
        _, fds = back.receive_message()
        front.send(OWNER)
        assert ours.recv(100) == message("CONFIG_CHANGE_MSG", flags=9, channel=Channel.BACKEND)
        os.close(fds[0])
    ours.close()

    injected = [record.channel for record in relay.messages if record.marks & Mark.INJECTED]
    assert injected == [Channel.BACKEND]


def test_what_no_fault_is_about_arrives_unchanged(tmp_path: Path) -> None:
    messages = [num(place % 8, place) for place in range(1000)]
    with faulted(tmp_path, "SET_VRING_NUM and num=100000 : drop", "SET_OWNER : drop") as (relay, front, back):
        for place in range(0, len(messages), 50):
            for data in messages[place : place + 50]:
                front.send(data)
            assert back.receive_all(1000) == b"".join(messages[place : place + 50])

    assert recorded(relay) == [(data, Mark(0)) for data in messages]


def test_big_endian_messages_are_changed_in_their_byte_order(tmp_path: Path) -> None:
    sent = message("SET_VRING_NUM", (0).to_bytes(4, "big") + (64).to_bytes(4, "big"), order=">")
    with faulted(tmp_path, "SET_VRING_NUM : set num=63") as (_, front, back):
        front.send(sent)
        assert back.receive_all(20) == sent[:-1] + b"\x3f"


def test_without_faults_nothing_of_them_is_loaded() -> None:
    code = (
        "import sys, vudissect.cli.vuproxy, vudissect.proxy.program, vudissect.proxy.connection\n"
        "print([name for name in sys.modules if 'fault' in name.removeprefix('vudissect.cli.')"
        " and name != 'vudissect.cli.faults'])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
