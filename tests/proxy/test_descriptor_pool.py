"""What the observer of rings keeps of the descriptors that come before their messages."""

import os
from collections.abc import Iterator

import pytest

from tests.proxy.test_rings import offered
from vudissect.host.inspect import examine
from vudissect.proxy.descriptor_pool import DescriptorPool

SECOND = 1_000_000_000


@pytest.fixture
def pool() -> Iterator[DescriptorPool]:
    pool = DescriptorPool()
    yield pool
    pool.empty()


def is_open(fd: int) -> bool:
    return os.path.exists(f"/proc/self/fd/{fd}")


def test_memory_that_two_devices_share_can_be_taken_for_each(pool: DescriptorPool) -> None:
    memory = os.memfd_create("guest")
    for _ in range(2):
        pool.add(offered(memory))
    wanted = examine(memory).descriptor
    taken = [pool.take(wanted) for _ in range(3)]

    assert None not in taken[:2]
    assert taken[2] is None
    for each in (memory, *taken[:2]):
        os.close(each or 0)


def test_what_nobody_takes_is_closed_after_a_second(pool: DescriptorPool) -> None:
    memory = os.memfd_create("guest")
    first, second = offered(memory), offered(memory)
    pool.add(first)
    pool.age(10 * SECOND)
    pool.add(second)
    pool.age(11 * SECOND)

    assert (is_open(first.fd), is_open(second.fd)) == (False, True)
    os.close(memory)
