"""The differences between two states, in words."""

from collections.abc import Iterator
from typing import NamedTuple

from vudissect.protocol.features import STATUS_BITS
from vudissect.session.rings import Ring
from vudissect.session.state import State


class Change(NamedTuple):
    """A change made by a message, in the words of the state."""

    subject: str
    before: str
    after: str


def changes(before: State, after: State) -> Iterator[Change]:
    """The changes in dialect, phase, memory, rings, status and postcopy."""
    if before is after:
        return
    for subject, was, is_now in (
        ("dialect", before.protocol.key, after.protocol.key),
        ("memory", _regions(before), _regions(after)),
        ("postcopy", before.postcopy.value, after.postcopy.value),
    ):
        if was != is_now:
            yield Change(subject, was, is_now)
    if before.status not in (None, after.status):
        yield Change("status", _status(before), _status(after))
    if before.rings is not after.rings:
        for index, ring in after.rings.items():
            was_ring = before.ring(index)
            if was_ring.state != ring.state:
                yield Change(f"ring {index}", was_ring.state, ring.state)
    if before.phase is not after.phase:
        yield Change("connection", before.phase.value, after.phase.value)


def replaced_descriptor(before: State, after: State) -> str:
    """The name of the descriptor that a message replaces, "" if there is none."""
    if before is after:
        return ""
    if before.memory is not after.memory and before.memory.table_in == after.memory.table_in:
        gone = set(before.memory.regions).difference(after.memory.regions)
        if len(gone) == 1 and len(after.memory.regions) == len(before.memory.regions) - 1:
            return gone.pop().descriptor
    touched = after.rings.touched
    if before.rings is not after.rings and touched is not None:
        return _replaced_of_ring(before.ring(touched), after.rings[touched])
    return ""


def _replaced_of_ring(before: Ring, after: Ring) -> str:
    for purpose, slot in after.slots.items():
        if before.slots[purpose].name != slot.name:
            return before.slots[purpose].name
    return ""


def _regions(state: State) -> str:
    return f"{len(state.memory.regions)} regions"


def _status(state: State) -> str:
    return " ".join(STATUS_BITS.names(state.status or 0)) or "0"
