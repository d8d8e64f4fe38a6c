"""The limit of open descriptors."""

import resource
from collections.abc import Iterator

import pytest

from vudissect.host.limits import raise_descriptor_limit


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


def test_a_limit_that_is_raised_already_stays(soft_limit_below_the_hard_one: int) -> None:
    raise_descriptor_limit()

    assert raise_descriptor_limit() == soft_limit_below_the_hard_one
