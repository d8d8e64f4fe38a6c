"""Long and random conversations: nothing is lost or mixed up, nothing leaks."""

import os
import random
from itertools import pairwise
from pathlib import Path

import pytest

from tests.proxy.harness import Peer, conversation, in_background, message
from tests.proxy.test_program import quiet
from vudissect.host.descriptor import DescriptorKind

NUM = message("SET_VRING_NUM", bytes(8))
KICK = message("SET_VRING_KICK", bytes(8))

PAIRS = 100_000
BATCH = 250


def test_two_hundred_thousand_messages_half_of_them_with_descriptors(tmp_path: Path) -> None:
    event = os.eventfd(0)
    open_descriptors: list[int] = []
    with quiet(tmp_path) as program:
        front, back = program.connect()
        for batch in range(PAIRS // BATCH):
            with in_background(lambda: [front.send(NUM + KICK, event) for _ in range(BATCH)]):
                for _ in range(BATCH):
                    # A read ends behind the write with the descriptor.
                    received = 0
                    while received < len(NUM + KICK):
                        data, fds = back.receive()
                        received += len(data)
                    assert received == len(NUM + KICK)
                    os.close(*fds)
            if not batch % 20:
                open_descriptors.append(len(os.listdir(f"/proc/{program.process.pid}/fd")))
        status, _, errors = program.end()
    assert status == 0
    assert f"{2 * PAIRS} messages, {PAIRS} descriptors" in errors
    # What waits to be recorded is bounded, and does not add up.
    assert max(open_descriptors) < 300


def random_messages(chance: random.Random, count: int) -> list[tuple[bytes, int | None]]:
    """Messages, some with an eventfd that counts to a number of its own."""
    messages: list[tuple[bytes, int | None]] = []
    for number in range(count):
        payload = chance.randbytes(chance.choice([0, 8, 40, 500]))
        if chance.random() < 0.3:
            messages.append((message("SET_VRING_KICK", payload), number + 1))
        else:
            messages.append((message("SET_VRING_NUM", payload), None))
    return messages


def send_at_random(chance: random.Random, peer: Peer, messages: list[tuple[bytes, int | None]]) -> None:
    """Glued to those before, or in any number of parts; descriptors with the write of the first byte."""
    waiting = b""
    for data, number in messages:
        if number is None and chance.random() < 0.5:
            waiting += data
            continue
        cuts = sorted({0, len(data), *(chance.randrange(1, len(data)) for _ in range(chance.choice([0, 0, 1, 2])))})
        parts = [data[start:end] for start, end in pairwise(cuts)]
        if number is None:
            peer.send(waiting + parts[0])
        else:
            event = os.eventfd(number)
            peer.send(waiting + parts[0], event)
            os.close(event)
        waiting = b""
        for part in parts[1:]:
            peer.send(part)
    if waiting:
        peer.send(waiting)


@pytest.mark.parametrize("seed", range(6))
def test_messages_glued_and_split_at_random(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    messages = random_messages(chance, 1000)
    with (
        conversation(tmp_path) as (relay, front, back),
        in_background(lambda: send_at_random(chance, front, messages)),
    ):
        for data, number in messages:
            received, fds = back.receive_message()
            assert received == data
            assert [os.eventfd_read(fd) for fd in fds] == ([] if number is None else [number])
            for fd in fds:
                os.close(fd)
    assert [record.data for record in relay.messages] == [data for data, _ in messages]
    kinds = [[descriptor.kind for descriptor in record.descriptors] for record in relay.messages]
    assert kinds == [[] if number is None else [DescriptorKind.EVENTFD] for _, number in messages]
