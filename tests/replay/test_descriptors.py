"""One recorded object is one descriptor, however often it is passed and whoever created it."""

import gc
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
    # What other tests no longer use may be closed at any time.
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def pool() -> Iterator[DescriptorPool]:
    """A pool that must leave nothing open when it is closed."""
    before = descriptors_open()
    pool = DescriptorPool()
    yield pool
    pool.close()
    assert descriptors_open() == before


def test_the_same_object_is_the_same_descriptor(pool: DescriptorPool) -> None:
    assert pool.get(MEMORY) == pool.get(MEMORY)


def test_another_object_is_another_descriptor(pool: DescriptorPool) -> None:
    assert pool.get(MEMORY) != pool.get(MEMORY._replace(identity="1:8"))


def test_objects_without_identity_are_created_each_time(pool: DescriptorPool) -> None:
    event = Descriptor(DescriptorKind.EVENTFD)

    assert pool.get(event) != pool.get(event)


def test_received_descriptors_are_passed_back(pool: DescriptorPool) -> None:
    inflight = os.memfd_create("inflight")
    pool.received(MEMORY, inflight)

    assert pool.get(MEMORY) == inflight


def test_a_newly_received_descriptor_replaces_the_old_one(pool: DescriptorPool) -> None:
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


def test_saved_state_is_read_to_its_end_so_that_the_peer_does_not_hang(pool: DescriptorPool) -> None:
    given = pool.get(STATE_OUT)

    # More than the capacity of a pipe.
    written = sum(os.write(given, bytes(65536)) for _ in range(8))

    assert written == 8 * 65536


def test_state_that_is_loaded_ends_at_once(pool: DescriptorPool) -> None:
    assert os.read(pool.get(STATE_IN), 1) == b""


def test_a_received_pipe_for_writing_is_not_read(pool: DescriptorPool) -> None:
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
def test_anything_but_a_pipe_is_not_read_in_place_of_a_recorded_pipe(
    path: str, flags: int, pool: DescriptorPool, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    before = set(threading.enumerate())

    pool.received(STATE_IN, os.open(tmp_path / path, flags))

    assert set(threading.enumerate()) <= before


def test_reading_a_pipe_does_not_change_the_owners_flags(pool: DescriptorPool) -> None:
    reads, writes = os.pipe()
    pool.received(STATE_IN, reads)
    os.write(writes, bytes(65536))

    # If it were not read, this would block for ever.
    os.write(writes, bytes(65536))
    os.close(writes)

    assert os.get_blocking(reads)


def test_created_memory_stays_open_when_it_is_replaced(pool: DescriptorPool) -> None:
    ours = pool.get(MEMORY)
    pool.received(MEMORY, os.memfd_create("theirs"))

    assert os.fstat(ours).st_size == 4096


def test_a_substitute_is_remarked_once(pool: DescriptorPool) -> None:
    for number in range(3):
        pool.get(Descriptor(DescriptorKind.DEVICE, f"5:{number}"))

    assert list(pool.remarks) == ["a device is replaced by an eventfd"]
