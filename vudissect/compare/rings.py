"""What was seen in the rings of two connections (`vuproxy --rings`): where one works and the other does not."""

from collections.abc import Iterator

from vudissect.capture.observation import Observation
from vudissect.compare.distinction import Distinction, Place, What
from vudissect.session.stalls import LONG, waits_for_device
from vudissect.session.state import State


def rings_compared(ours: State, theirs: State) -> Iterator[Distinction]:
    """What is different in the rings that were seen in both: not how much was done, but whether it goes on."""
    for index in sorted(ours.rings.keys() & theirs.rings.keys()):
        first, second = ours.rings[index], theirs.rings[index]
        if first.seen is None or second.seen is None:
            continue
        before, after = _course(ours, first.seen), _course(theirs, second.seen)
        if before != after:
            frames = (first.seen_in,), (second.seen_in,)
            yield Distinction(What.SESSION, Place.RING, (), (index,), "as last seen", before, after, *frames)


def _course(state: State, seen: Observation) -> str:
    if seen.fault or seen.unreadable:
        return seen.fault or f"not read: {seen.unreadable}"
    if seen.waited >= LONG and waits_for_device(state, seen):
        return "a request is not completed"
    if seen.unnoticed >= LONG and not seen.no_calls:
        return "a completion is not noticed"
    return "nothing waits"
