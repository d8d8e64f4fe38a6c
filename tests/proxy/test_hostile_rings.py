"""Whatever a front-end declares as memory and rings: the traffic continues, and the capture has one note about it."""

import os
import random
import socket
import struct
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.proxy.hanging_files import FileServer, file_server
from tests.proxy.harness import Peer, eventually, message
from tests.proxy.test_program import Program, call_when_listening, converse, quiet
from tests.proxy.test_rings import AVAIL, DESC, GUEST, USED, USER, Scene
from vudissect.capture.observation import Observation, observation_of
from vudissect.capture.record import RecordKind
from vudissect.proxy.ring_memory import MemoryFile
from vudissect.rings.fs import Opcode

SIZE = 0x10000
_MOST = (1 << 64) - 1


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A vuproxy that looks into rings, for all these front-ends, one after the other; it survives them all."""
    folder = tmp_path_factory.mktemp("hostile")
    with quiet(folder, "--rings=requests", "--rings-interval=0.05") as program:
        yield program
        status, _, errors = program.end()
    assert status == 0
    assert "Traceback" not in errors
    assert "rings" not in errors


@pytest.fixture(scope="module")
def connections() -> Iterator[int]:
    """The numbers of their connections."""
    return count(1)


class Region(NamedTuple):
    """A region as SET_MEM_TABLE declares it."""

    guest: int = 0
    size: int = SIZE
    user: int = USER
    offset: int = 0


class FrontEnd:
    """Declares memory and ring 0, and looks for what is recorded about it."""

    def __init__(self, program: Program, connection: int) -> None:
        self._program = program
        self._connection = connection
        self.front = call_when_listening(program.folder / "front.sock")
        self.back: Peer = program.accept()

    def say(self, name: str, layout: str, *values: int, fds: tuple[int, ...] = ()) -> None:
        """Send a message, which arrives as it was sent."""
        data = message(name, struct.pack(f"={layout}", *values))
        self.front.send(data, *fds)
        arrived, passed = self.back.receive()
        assert (arrived, len(passed)) == (data, len(fds))
        for fd in passed:
            os.close(fd)

    def set_up(
        self, fd: int, *regions: Region, num: int = 256, desc: int = USER + DESC, used: int = USER + USED
    ) -> None:
        """Memory in a file, which is closed, and a ring in it."""
        declared = regions or (Region(),)
        values = [value for region in declared for value in region]
        self.say("SET_MEM_TABLE", f"II{len(values)}Q", len(declared), 0, *values, fds=(fd,) * len(declared))
        os.close(fd)
        self.say("SET_VRING_NUM", "II", 0, num)
        self.say("SET_VRING_ADDR", "IIQQQQ", 0, 0, desc, used, USER + AVAIL, 0)
        self.say("SET_VRING_KICK", "Q", 0, fds=(os.eventfd(0),))

    def observed(self) -> list[Observation]:
        """What is recorded of the ring, once something is; the traffic goes on."""
        found: list[Observation] = []

        def is_there() -> bool:
            converse(self.front, self.back)
            records = self._program.records()
            found[:] = [
                observation
                for record in records
                if record.kind is RecordKind.RING_OBSERVED
                and record.connection == self._connection
                and (observation := observation_of(record.details)) is not None
            ]
            return bool(found)

        eventually(is_there)
        return found

    def noted(self) -> Observation:
        """What is recorded of a ring: once, or before and after it had its kick descriptor."""
        found = self.observed()
        assert len(found) == 1 or [seen.kick for seen in found] == [None, 0]
        return found[-1]


@pytest.fixture
def front_end(program: Program, connections: Iterator[int]) -> Iterator[FrontEnd]:
    front_end = FrontEnd(program, next(connections))
    yield front_end
    front_end.front.close()
    assert front_end.back.at_end()


def memfd(size: int = SIZE) -> int:
    fd = os.memfd_create("guest")
    os.ftruncate(fd, size)
    return fd


def write_only(folder: Path) -> int:
    (folder / "memory").write_bytes(bytes(SIZE))
    return os.open(folder / "memory", os.O_WRONLY)


def only_the_path(folder: Path) -> int:
    (folder / "memory").write_bytes(bytes(SIZE))
    return os.open(folder / "memory", os.O_PATH)


def pipe(_: Path) -> int:
    reader, writer = os.pipe()
    os.close(writer)
    return reader


def a_socket(_: Path) -> int:
    return socket.socket(socket.AF_UNIX).detach()


def folder_of(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (write_only, "its descriptor is only for writing"),
        (only_the_path, "Bad file descriptor"),
        (lambda _: os.open("/dev/zero", os.O_RDWR), "it is not a file"),
        (lambda _: os.open("/proc/self/status", os.O_RDONLY), "it is on a file system (proc) that may not answer"),
    ],
    ids=["write-only", "path", "device", "proc"],
)
def test_memory_that_cannot_be_read(front_end: FrontEnd, tmp_path: Path, make: Callable[[Path], int], why: str) -> None:
    front_end.set_up(make(tmp_path))

    seen = front_end.noted()

    assert seen.unreadable.startswith("region0: ")
    assert why in seen.unreadable


@pytest.mark.parametrize("make", [pipe, a_socket, folder_of])
def test_memory_that_is_no_memory(front_end: FrontEnd, tmp_path: Path, make: Callable[[Path], int]) -> None:
    front_end.set_up(make(tmp_path))

    seen = front_end.noted()

    assert seen.unreadable in ("region0: its descriptor is not available", "region0: it is not a file")


def test_memory_on_a_server_that_does_not_answer(front_end: FrontEnd, tmp_path: Path) -> None:
    server: FileServer
    with file_server(tmp_path / "mount") as server:
        fd = os.open(server.path, os.O_RDWR)
        server.hanging = {Opcode.GETATTR, 15}  # and READ
        front_end.set_up(fd)
        seen = front_end.noted()
        server.release()

    assert seen.unreadable == "region0: it is on a file system (fuse) that may not answer"


@pytest.mark.parametrize(
    ("regions", "ring", "fault"),
    [
        ((), {"used": 0x1000}, "4 bytes at 0x1000 are in no memory region"),
        ((), {"used": USER + SIZE - 2}, f"4 bytes at {USER + SIZE - 2:#x} are in no memory region"),
        ((), {"used": _MOST - 1}, f"4 bytes at {_MOST - 1:#x} are in no memory region"),
        ((Region(size=1 << 40),), {"used": USER + (1 << 39)}, f"the file of region0 ends before {USER + (1 << 39):#x}"),
        ((Region(offset=SIZE),), {}, f"the file of region0 ends before {USER + USED:#x}"),
    ],
    ids=["in no region", "across its end", "across the end of all addresses", "too large", "beyond the file"],
)
def test_a_ring_that_lies_nowhere(
    front_end: FrontEnd, regions: tuple[Region, ...], ring: dict[str, int], fault: str
) -> None:
    front_end.set_up(memfd(), *regions, **ring)

    seen = front_end.noted()

    assert seen.fault == fault


@pytest.mark.parametrize("offset", [1 << 63, _MOST, _MOST - USED])
def test_a_region_that_begins_where_no_file_can(front_end: FrontEnd, offset: int) -> None:
    front_end.set_up(memfd(), Region(offset=offset))

    seen = front_end.noted()

    assert seen.unreadable.startswith("region0: ")


def test_regions_that_overlap(front_end: FrontEnd) -> None:
    front_end.set_up(memfd(), Region(), Region(guest=0x100, user=USER + 0x100), Region())

    seen = front_end.noted()

    assert (seen.avail, seen.used, seen.fault) == (0, 0, "")


def test_a_file_that_shrinks_and_grows_again(front_end: FrontEnd) -> None:
    fd = memfd()
    front_end.set_up(os.dup(fd))
    front_end.observed()
    os.ftruncate(fd, 0)
    eventually(lambda: front_end.observed()[-1].fault == f"the file of region0 ends before {USER + USED:#x}")
    os.ftruncate(fd, SIZE)
    eventually(lambda: front_end.observed()[-1].avail == 0)
    os.close(fd)


def test_a_file_that_is_deleted_is_still_there(front_end: FrontEnd, tmp_path: Path) -> None:
    (tmp_path / "memory").write_bytes(bytes(SIZE))
    fd = os.open(tmp_path / "memory", os.O_RDWR)
    (tmp_path / "memory").unlink()
    front_end.set_up(fd)

    seen = front_end.noted()

    assert (seen.avail, seen.used) == (0, 0)


def test_a_chain_that_is_a_loop(front_end: FrontEnd) -> None:
    fd = memfd()
    os.pwrite(fd, struct.pack("<QIHH", 0, 16, 1, 0), DESC)  # its next is itself
    os.pwrite(fd, struct.pack("<HHH", 0, 1, 0), AVAIL)
    front_end.set_up(fd, num=8)

    assert front_end.observed()[-1].fault == "a chain of descriptors that never ends, from 0"


def test_more_descriptors_than_the_observer_receives_at_once(front_end: FrontEnd) -> None:
    event, kick = os.eventfd(0), message("SET_VRING_KICK", bytes(8))
    for _ in range(3):
        front_end.front.send(kick, *[event] * 253)
    os.close(event)
    for _ in range(3):
        _, passed = front_end.back.receive()
        for fd in passed:
            os.close(fd)
    front_end.set_up(memfd())

    assert front_end.noted().kick == 0


@pytest.mark.parametrize("features", [(), ("EVENT_IDX",), ("RING_PACKED",)], ids=["split", "event index", "packed"])
def test_random_memory_is_read_within_bounds(features: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    read = MemoryFile.read

    def counted(file: MemoryFile, offset: int, length: int) -> bytes:
        reads.append(length)
        return read(file, offset, length)

    monkeypatch.setattr(MemoryFile, "read", counted)
    scene = Scene(requests=True, features=("VERSION_1", "PROTOCOL_FEATURES", *features))
    scene.start()
    chance = random.Random("rings")
    for second in range(300):
        scene.guest.at_guest(GUEST, 0x8000)[:] = chance.randbytes(0x8000)
        # So that some requests are pending, and some of their chains are in memory.
        scene.driver.ring.used_idx = scene.driver.ring.avail_idx - chance.randrange(10)
        for entry in range(0, 8 * 16, 16):
            scene.guest.at_guest(GUEST + DESC + entry, 8)[:] = struct.pack("<Q", GUEST + chance.randrange(0x10000))
        reads.clear()
        (seen,) = [*scene.watch.look(second), None][:1]
        assert seen is None or len(str(seen.observation)) < 1000
        assert (len(reads), sum(reads)) < (100, 4096)
    scene.watch.close()
