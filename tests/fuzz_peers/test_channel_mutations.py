"""The other channels: what a front-end answers there, what it writes to streams and memory, entries of the IOTLB."""

import socket
from random import Random
from typing import Any

import pytest

from tests.fuzz_peers.sessions import a_session
from vudissect.check.channels import Channels
from vudissect.check.link import Clock, Incoming
from vudissect.check.objects import Objects
from vudissect.check.recorder import Recorder
from vudissect.fuzz.channel_mutations import use_a_channel
from vudissect.fuzz.steps import SILENCE, Close, Message, Send, Step, Write, read_steps, text_of
from vudissect.host.descriptor import DescriptorKind
from vudissect.protocol.model import Channel, Side
from vudissect.protocol.table import UPSTREAM
from vudissect.wire.codec import WireMessage, codec_of

_TIMES = 300
BEFORE = a_session()[:-1]
SESSIONS = [use_a_channel(BEFORE, Random(seed)) for seed in range(_TIMES)]
ADDED: list[Step] = [step for steps in SESSIONS for step in steps if step not in BEFORE]
ANSWERS = [step for step in ADDED if isinstance(step, Message) and step.channel is not Channel.MAIN]
CODEC = codec_of(UPSTREAM, "little")
# CONFIG_CHANGE_MSG, version 1, and an answer is wanted.
REQUEST = bytes([2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0])


def test_requests_are_answered_with_other_flags_sizes_and_descriptors_and_twice() -> None:
    headers = [
        (int.from_bytes(each.data[4:8], "little"), int.from_bytes(each.data[8:12], "little")) for each in ANSWERS
    ]

    assert {0, 5, 0xFFFF_FFFF} <= {flags for flags, _ in headers}
    assert {8, 0xFFFF_FFFF} <= {size for _, size in headers}
    assert any(len(each.data) == 40 and each.data[:20] == each.data[20:] for each in ANSWERS)
    assert any(len(each.descriptors) == 8 for each in ANSWERS)


def test_requests_are_not_answered() -> None:
    assert SILENCE in ADDED


def test_streams_end_early_or_bring_a_part_of_something() -> None:
    kinds = {DescriptorKind.SOCKET, DescriptorKind.PIPE}

    assert {step.descriptor.kind for step in ADDED if isinstance(step, Send)} == kinds
    assert {step.descriptor.kind for step in ADDED if isinstance(step, Close)} == kinds


def test_memory_that_is_not_that_of_the_guest_is_written_to() -> None:
    memory = {step.memory.identity for step in ADDED if isinstance(step, Write)}

    assert memory
    assert not memory & {each.identity for step in BEFORE if isinstance(step, Message) for each in step.descriptors}


def test_entries_of_the_iotlb_are_in_the_memory_of_the_session_and_just_outside() -> None:
    entries = [step.line for step in ADDED if isinstance(step, Message) and step.name == "IOTLB_MSG"]

    assert any("user_addr=0x7f0000000000" in line for line in entries)
    assert any("user_addr=0x7f0001000000" in line for line in entries)


def test_all_of_it_reads_back_as_text() -> None:
    forgotten = tuple(step.forget() if isinstance(step, Message) else step for step in BEFORE)
    for seed in range(40):
        steps = use_a_channel(forgotten, Random(seed))

        assert read_steps(text_of(steps)) == steps


class Asked:
    """A back-end that asks on its channel."""

    def __init__(self) -> None:
        recorder, objects = Recorder(), Objects()

        def heard(connection: int, channel: Channel, incoming: Incoming) -> WireMessage:
            return CODEC.decode(channel, Side.BACK_END, incoming.data)

        self.channels = Channels(recorder, Clock(), 5, heard, lambda _: None, objects.give)
        self.socket, ours = socket.socketpair()
        self.channels.open(1, Channel.BACKEND, ours.detach())

    def ask(self) -> bytes:
        """What is answered; nothing if there is no answer."""
        self.socket.send(REQUEST)
        self.channels.serve()
        self.socket.setblocking(False)
        try:
            return self.socket.recv(4096)
        except BlockingIOError:
            return b""


@pytest.fixture
def back_end() -> Any:
    asked = Asked()
    yield asked
    asked.channels.close(1)
    asked.socket.close()


def test_a_request_is_answered_as_was_said_once(back_end: Asked) -> None:
    (answer,) = read_steps("F>B backend: bytes 0200000005000000080000000700000000000000")
    assert isinstance(answer, Message)
    back_end.channels.answers.append(answer.record)

    assert back_end.ask() == answer.data
    assert back_end.ask()[12:] == bytes(8)


def test_an_answer_to_another_request_waits(back_end: Asked) -> None:
    (answer,) = read_steps("F>B backend: bytes 0300000005000000080000000700000000000000")
    assert isinstance(answer, Message)
    back_end.channels.answers.append(answer.record)

    assert back_end.ask()[12:] == bytes(8)


def test_one_request_is_not_answered(back_end: Asked) -> None:
    back_end.channels.ignored = 1

    assert back_end.ask() == b""
    assert back_end.ask()[12:] == bytes(8)
