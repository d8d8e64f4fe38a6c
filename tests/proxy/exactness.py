"""Random traffic, and how it arrives at a peer that reads a header, then its payload, as all programs do."""

import os
import random
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from tests.proxy.harness import Peer

HEADER = struct.Struct("=III")
MOST_DESCRIPTORS = 253


class Pool:
    """Distinguishable files, to see which descriptor has arrived."""

    def __init__(self) -> None:
        self.fds = [os.memfd_create(str(number)) for number in range(MOST_DESCRIPTORS + 20)]
        self._numbers = {os.fstat(fd).st_ino: number for number, fd in enumerate(self.fds)}

    def number(self, fd: int) -> int:
        """Which of the files a descriptor refers to; closes it."""
        number = self._numbers[os.fstat(fd).st_ino]
        os.close(fd)
        return number

    def close(self) -> None:
        for fd in self.fds:
            os.close(fd)


@contextmanager
def pool() -> Iterator[Pool]:
    files = Pool()
    yield files
    files.close()


@dataclass(frozen=True)
class Write:
    """One write of a sender: bytes, and the files whose descriptors come with the first of them."""

    data: bytes
    files: tuple[int, ...] = ()


@dataclass
class Arrival:
    """A message as it arrives: its bytes, and the files that came with its header and with its payload."""

    data: bytes = b""
    with_header: list[int] = field(default_factory=list)
    with_payload: list[int] = field(default_factory=list)


def random_writes(chance: random.Random, messages: int, numbers: Sequence[int], most_files: int) -> list[Write]:
    """Messages with any number, cut and glued into writes, some of which carry descriptors at any place."""
    parts = []
    for _ in range(messages):
        payload = chance.randbytes(chance.choice([0, 1, 8, 8, 8, 40, 300, 3000]))
        parts.append(HEADER.pack(chance.choice(numbers), chance.choice([1, 5, 9]), len(payload)) + payload)
    data = b"".join(parts)
    starts = [sum(map(len, parts[:index])) for index in range(len(parts))]
    cuts = {start for start in starts if chance.random() < 0.5}
    cuts |= {start + 12 for start in starts if chance.random() < 0.2 and start + 12 < len(data)}
    cuts |= {chance.randrange(len(data)) for _ in range(messages // 4)}
    writes = []
    for start, end in pairwise(sorted({0, len(data), *cuts})):
        count = chance.choice([0, 0, 0, 1, 1, 2, 8, most_files])
        first = chance.randrange(MOST_DESCRIPTORS + 20 - count)
        writes.append(Write(data[start:end], tuple(range(first, first + count))))
    return writes


def expected(writes: Sequence[Write]) -> list[Arrival]:
    """What a receiver gets without a relay."""
    data = b"".join(write.data for write in writes)
    arrivals: list[Arrival] = []
    bounds: list[tuple[int, int]] = []  # where the payload of each begins and ends
    place = 0
    while place < len(data):
        _, _, size = HEADER.unpack_from(data, place)
        arrivals.append(Arrival(data[place : place + 12 + size]))
        bounds.append((place + 12, place + 12 + size))
        place += 12 + size
    place, index = 0, 0
    for write in writes:
        while bounds[index][1] <= place:
            index += 1
        arrival = arrivals[index]
        (arrival.with_header if place < bounds[index][0] else arrival.with_payload).extend(write.files)
        place += len(write.data)
    return arrivals


def send(peer: Peer, writes: Sequence[Write], files: Pool) -> None:
    """Send everything, as fast as it is accepted."""
    for write in writes:
        if write.files:
            sent = socket.send_fds(peer.socket, [write.data], [files.fds[number] for number in write.files])
            peer.socket.sendall(write.data[sent:])
        else:
            peer.socket.sendall(write.data)


def receive(peer: Peer, count: int, files: Pool) -> list[Arrival]:
    """Receive this many messages."""
    return [_message(peer, files) for _ in range(count)]


def _message(peer: Peer, files: Pool) -> Arrival:
    arrival = Arrival()
    arrival.data = _read(peer, 12, arrival.with_header, files)
    arrival.data += _read(peer, HEADER.unpack(arrival.data)[2], arrival.with_payload, files)
    return arrival


def _read(peer: Peer, size: int, numbers: list[int], files: Pool) -> bytes:
    data = b""
    while len(data) < size:
        part, fds = peer.receive(size - len(data))
        assert part, "the stream has ended"
        data += part
        numbers += map(files.number, fds)
    return data
