"""A long conversation: nothing is lost, nothing leaks."""

import os
from pathlib import Path

from tests.proxy.harness import Peer, in_background, message
from tests.proxy.test_program import quiet

NUM = message("SET_VRING_NUM", bytes(8))
KICK = message("SET_VRING_KICK", bytes(8))

PAIRS = 100_000
BATCH = 250


def send_pairs(front: Peer, event: int) -> None:
    for _ in range(BATCH):
        front.send(NUM)
        front.send(KICK, event)


def test_two_hundred_thousand_messages_half_of_them_with_descriptors(tmp_path: Path) -> None:
    event = os.eventfd(0)
    open_descriptors: list[int] = []
    with quiet(tmp_path) as program:
        front, back = program.connect()
        for batch in range(PAIRS // BATCH):
            with in_background(lambda: send_pairs(front, event)):
                for _ in range(BATCH):
                    # A read ends after the write with the descriptor.
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
    # The queue of the recorder is bounded, and does not grow.
    assert max(open_descriptors) < 300
