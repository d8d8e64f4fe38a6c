"""Two sessions whose rings were seen: one works, in the other something waits."""

import pytest

from tests.compare.test_sessions import SESSION, parts
from tests.replay.talks import CLOSED
from vudissect.compare.distinction import Distinction, Place, What

DISK = "--- connection front-end=qemu back-end=vhost-user-blk"
WORKS = "--- ring 0: avail 35, used 35, 0 pending, kick 0, call 0"


def differences(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[Distinction, ...]:
    (part,) = parts((DISK, *SESSION, *first, CLOSED), (DISK, *SESSION, *second, CLOSED))
    return part.compared.distinctions


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("--- ring 0: avail 35, used 34, 1 pending for 2s, kick 1 unread for 2s", "a request is not completed"),
        ("--- ring 0: avail 35, used 35, 0 pending, completion unnoticed for 2s", "a completion is not noticed"),
        ("--- ring 0:; fault: a loop", "a loop"),
        ("--- ring 0:; not read: region0: it is not a file", "not read: region0: it is not a file"),
    ],
)
def test_what_waits_in_one_of_them(line: str, what: str) -> None:
    (found,) = differences((WORKS,), (WORKS, line))

    assert (found.what, found.place, found.rings) == (What.SESSION, Place.RING, (0,))
    assert (found.field, found.before, found.after) == ("as last seen", "nothing waits", what)
    assert found.frames != found.other_frames


@pytest.mark.parametrize(
    "line",
    [
        "--- ring 0: avail 9, used 9, 0 pending, kick 0, call 1",
        "--- ring 0: avail 9, used 8, 1 pending for 20ms, kick 0, call 1",
        "--- ring 0: avail 9, used 9, 0 pending, no calls wanted, completion unnoticed for 2s",
    ],
)
def test_how_much_was_done_is_not_a_difference(line: str) -> None:
    assert differences((WORKS,), (line,)) == ()


def test_rings_that_only_one_recorder_looked_into_are_not_compared() -> None:
    assert differences((), ("--- ring 0: avail 35, used 34, 1 pending for 2s",)) == ()
