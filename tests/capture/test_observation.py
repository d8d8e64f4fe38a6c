"""An observation of a ring as the details of a record, and back."""

import pytest

from vudissect.capture.observation import Observation, observation_of

FULL = Observation(
    *(3, 5_000, 149, 146, 3, 2_000, 1, 1_000, 2, 900, 800, 2, 700),
    *(True, True, True, True),
    *("request 146: flush", "a loop", "not a file"),
)


@pytest.mark.parametrize("seen", [Observation(0), FULL, Observation(1, avail=0, used=0, pending=0, kick=0, call=0)])
def test_it_is_read_as_it_was_written(seen: Observation) -> None:
    assert observation_of(seen.details) == seen


def test_what_is_unknown_is_not_written() -> None:
    assert Observation(0, avail=7).details == {"ring": 0, "avail": 7}


@pytest.mark.parametrize("details", [{}, {"ring": "0"}, {"ring": -1}, {"ring": 1 << 64}])
def test_without_a_ring_it_is_none(details: dict[str, str | int]) -> None:
    assert observation_of(details) is None


def test_what_does_not_fit_is_unknown() -> None:
    assert observation_of({"ring": 1, "avail": "many", "used": -1, "waited": "long"}) == Observation(1)
