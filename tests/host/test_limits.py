"""The limit of open descriptors."""

import os
import resource
from collections.abc import Iterator

import pytest

from vudissect.host.limits import LimitError, raise_descriptor_limit, require_descriptors


@pytest.fixture
def soft_limit_below_the_hard_one() -> Iterator[int]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_soft_limit_is_raised_to_the_hard_one(soft_limit_below_the_hard_one: int) -> None:
    hard = soft_limit_below_the_hard_one

    assert raise_descriptor_limit() == hard
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)


def test_a_limit_that_is_already_raised_is_kept(soft_limit_below_the_hard_one: int) -> None:
    raise_descriptor_limit()

    assert raise_descriptor_limit() == soft_limit_below_the_hard_one


def test_descriptors_that_can_be_opened_are_not_kept() -> None:
    before = os.listdir("/proc/self/fd")
    require_descriptors(20)

    assert os.listdir("/proc/self/fd") == before


def test_too_few_descriptors_are_an_error_that_names_the_remedy() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = max(map(int, os.listdir("/proc/self/fd"))) + 5
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        with pytest.raises(LimitError, match=f"Too many open files: the limit is {limit}: raise it with ulimit -n"):
            require_descriptors(limit)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
