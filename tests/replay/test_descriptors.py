"""One recorded object is one descriptor, however often it is passed and whoever made it."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.replay.descriptors import DescriptorPool

MEMORY = Descriptor(DescriptorKind.MEMFD, "1:7", 4096, 4096, 0, os.O_RDWR, "/memfd:ram (deleted)")
STATE_OUT = Descriptor(DescriptorKind.PIPE, "15:1", flags=os.O_WRONLY)
STATE_IN = Descriptor(DescriptorKind.PIPE, "15:2", flags=os.O_RDONLY)


def descriptors_open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def pool() -> Iterator[DescriptorPool]:
    """A pool; when it is closed, nothing of it is left."""
    before = descriptors_open()
    pool = DescriptorPool()
    yield pool
    pool.close()
    assert descriptors_open() == before


def test_the_same_object_is_the_same_descriptor(pool: DescriptorPool) -> None:
    assert pool.get(MEMORY) == pool.get(MEMORY)


def test_another_object_is_another_descriptor(pool: DescriptorPool) -> None:
    assert pool.get(MEMORY) != pool.get(MEMORY._replace(identity="1:8"))


def test_objects_that_cannot_be_told_apart_are_made_each_time(pool: DescriptorPool) -> None:
    event = Descriptor(DescriptorKind.EVENTFD)

    assert pool.get(event) != pool.get(event)


def test_what_came_is_passed_back(pool: DescriptorPool) -> None:
    inflight = os.memfd_create("inflight")
    pool.received(MEMORY, inflight)

    assert pool.get(MEMORY) == inflight


def test_what_comes_anew_takes_the_place_of_what_was(pool: DescriptorPool) -> None:
    pool.get(MEMORY)
    inflight = os.memfd_create("inflight")
    pool.received(MEMORY, inflight)

    assert pool.get(MEMORY) == inflight


def test_the_other_end_of_a_socket_can_be_taken_once(pool: DescriptorPool) -> None:
    given = pool.get(Descriptor(DescriptorKind.SOCKET, "9:1", name="socket:[1] stream"))
    other = pool.take_other_end(given)
    assert other is not None
    os.close(other)

    assert pool.take_other_end(given) is None


def test_state_that_is_saved_is_read_to_its_end_so_that_nobody_hangs(pool: DescriptorPool) -> None:
    given = pool.get(STATE_OUT)

    # More than a pipe holds.
    written = sum(os.write(given, bytes(65536)) for _ in range(8))

    assert written == 8 * 65536


def test_state_that_is_loaded_ends_at_once(pool: DescriptorPool) -> None:
    assert os.read(pool.get(STATE_IN), 1) == b""


def test_a_pipe_that_comes_to_be_written_to_has_nothing_to_read(pool: DescriptorPool) -> None:
    reads, writes = os.pipe()
    pool.received(STATE_OUT, writes)
    os.set_blocking(reads, False)
    with pytest.raises(BlockingIOError):
        os.read(reads, 1)
    os.close(reads)


@pytest.mark.parametrize(
    ("path", "flags"),
    [
        ("/", os.O_RDONLY),
        ("/", os.O_PATH),
        ("/dev/zero", os.O_RDONLY),
        ("/dev/full", os.O_RDWR),
        ("/proc/self/maps", os.O_RDONLY),
        ("fifo", os.O_PATH),
    ],
    ids=["directory", "path", "device", "device that writes", "file", "path of a pipe"],
)
def test_what_is_not_a_pipe_is_not_read_where_one_was_recorded(
    path: str, flags: int, pool: DescriptorPool, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    before = set(threading.enumerate())

    pool.received(STATE_IN, os.open(tmp_path / path, flags))

    assert set(threading.enumerate()) <= before


def test_a_pipe_that_is_read_from_here_stays_as_its_owner_has_it(pool: DescriptorPool) -> None:
    reads, writes = os.pipe()
    pool.received(STATE_IN, reads)
    os.write(writes, bytes(65536))

    # Is taken out, or this would wait for ever.
    os.write(writes, bytes(65536))
    os.close(writes)

    assert os.get_blocking(reads)


def test_memory_that_was_made_here_stays_open_when_something_comes_in_its_place(pool: DescriptorPool) -> None:
    ours = pool.get(MEMORY)
    pool.received(MEMORY, os.memfd_create("theirs"))

    assert os.fstat(ours).st_size == 4096


def test_what_is_not_as_described_is_remarked_once(pool: DescriptorPool) -> None:
    for number in range(3):
        pool.get(Descriptor(DescriptorKind.DEVICE, f"5:{number}"))

    assert list(pool.remarks) == ["a device is replaced by an eventfd"]
