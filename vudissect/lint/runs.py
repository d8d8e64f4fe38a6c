"""Shared code of the rules about running rings.

A ring runs while it is started and enabled. A capture does not show what the guest does with it, but it shows where the
back-end stopped: a ring that stops where it began has not processed any request.
"""

from collections.abc import Iterable
from dataclasses import field

from vudissect.lint.at import At
from vudissect.lint.memory import memory
from vudissect.lint.rule import replies, requests
from vudissect.lint.words import SECOND
from vudissect.protocol.purpose import Purpose
from vudissect.session.rings import Ring, Started

# Positions are compared in the half that every back-end reports.
POSITION = 0xFFFF
MOST_LISTED = 8

STARTS_AND_STOPS = requests(Purpose.SET_KICK, Purpose.ENABLE_RING, Purpose.STOP_RING) | replies(Purpose.STOP_RING)


def ring_of(at: At) -> Ring | None:
    """The ring that the message is about."""
    return at.after.rings.get(at.fields.get("index", -1))


def purpose_of(at: At) -> Purpose:
    """The purpose of the message; NONE at the end."""
    return Purpose.NONE if at.over else at.message.row.purpose


def list_text(rings: Iterable[Ring]) -> str:
    """`ring 0`, `rings 0, 1, 2`."""
    numbers = [str(ring.index) for ring in rings]
    more = f" and {len(numbers) - MOST_LISTED} more" if len(numbers) > MOST_LISTED else ""
    return f"ring{'s' * (len(numbers) > 1)} {', '.join(numbers[:MOST_LISTED])}{more}"


@memory
class Run:
    """The rings of a connection from the first that runs to the last that stops, as one rule sees them.

    It keeps their indexes; their current state is in the session.
    """

    # In the order in which they first ran.
    _started: dict[int, None] = field(default_factory=dict)
    _unconfirmed: list[int] = field(default_factory=list)
    # Those not known to have stopped.
    _going_on: list[int] = field(default_factory=list)

    def follow(self, at: At) -> None:
        """Record whether this message started or stopped a ring."""
        ring = None if at.over or at.message.reply else ring_of(at)
        if ring is None:
            return
        if ring.running and ring.runs_since == at.frame:
            self._started[ring.index] = None
            self._going_on.append(ring.index)
        elif ring.stopped_in == at.frame and not self._unconfirmed and at.after.rings.latest_run > at.waiting.answered:
            self._unconfirmed = [each.index for each in self.rings(at) if is_unconfirmed(at, each)]

    def __contains__(self, ring: Ring) -> bool:
        return ring.index in self._started

    def rings(self, at: At) -> list[Ring]:
        """The rings that have run, in their current state."""
        return _rings(at, self._started)

    def unconfirmed(self, at: At) -> list[Ring]:
        """The rings without an answer to any request that was sent after they began to run.

        This is the situation when the first one was stopped: nothing showed that the back-end got that far.
        """
        return _rings(at, self._unconfirmed)

    def began(self, at: At) -> int:
        """When it began, in ns."""
        return min(ring.began for ring in self.rings(at))

    def is_over(self, at: At) -> bool:
        """Whether all its rings have stopped at a known position."""
        going_on = self._going_on
        while going_on and all(map(has_stopped, _rings(at, going_on[-1:]))):
            going_on.pop()
        if not going_on:
            # A stopped ring may have been started in another way in the meantime.
            going_on += [ring.index for ring in self.rings(at) if not has_stopped(ring)]
        return bool(self._started) and not going_on

    def is_idle(self, at: At) -> bool:
        """Whether it was long, and none of its rings moved."""
        # Long enough for a driver to make its first request.
        return at.time - self.began(at) >= SECOND and all(map(has_not_moved, self.rings(at)))


def _rings(at: At, indexes: Iterable[int]) -> list[Ring]:
    rings = at.after.rings
    return [rings[index] for index in indexes if index in rings]


def has_stopped(ring: Ring) -> bool:
    """Whether the ring has stopped at a known position."""
    return ring.started is Started.STOPPED and ring.stopped_at is not None


def is_unconfirmed(at: At, ring: Ring) -> bool:
    """Whether no request that was sent after the ring began to run has been answered."""
    return ring.runs_since > at.waiting.answered


def has_not_moved(ring: Ring) -> bool:
    """Whether the ring stopped where it began; not if it was seen to be empty."""
    if ring.base is None or ring.stopped_at is None or (ring.seen is not None and ring.seen.pending == 0):
        return False
    return ring.base & POSITION == ring.stopped_at & POSITION
