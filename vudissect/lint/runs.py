"""What rules about running rings have in common.

A ring runs while it is started and enabled. What the guest does with it a capture does not show, but where the back-end
stopped does: a ring that stops where it began has seen no request.
"""

from collections.abc import Iterable

from vudissect.lint.at import At
from vudissect.lint.rule import replies, requests
from vudissect.session.rings import Ring, Started
from vudissect.spec.effect import Effect

# Long enough for a driver to make its first request, and for a front-end to send what belongs together.
SECOND = 1_000_000_000
# Positions are compared in the half that every back-end tells.
POSITION = 0xFFFF
MOST_LISTED = 8

STARTS_AND_STOPS = requests(Effect.SET_KICK, Effect.ENABLE_RING, Effect.STOP_RING) | replies(Effect.STOP_RING)


def ring_of(at: At) -> Ring | None:
    """The ring that the message is about."""
    return at.connection.rings.get(at.fields.get("index", -1))


def effect_of(at: At) -> Effect | None:
    """What the message does; None at the end."""
    return None if at.over or at.message.row is None else at.message.row.effect


def list_text(rings: Iterable[Ring]) -> str:
    """`ring 0`, `rings 0, 1, 2`."""
    numbers = [str(ring.index) for ring in rings]
    more = f" and {len(numbers) - MOST_LISTED} more" if len(numbers) > MOST_LISTED else ""
    return f"ring{'s' * (len(numbers) > 1)} {', '.join(numbers[:MOST_LISTED])}{more}"


class Run:
    """The rings of a connection from the first that runs to the last that stops, as one rule has seen them.

    `rings` are those that have run, `unconfirmed` those of them of which, when the first was stopped, no request that
    was sent after they began to run had been answered: nothing has shown that the back-end got so far.
    """

    __slots__ = ("_going_on", "rings", "unconfirmed")

    def __init__(self) -> None:
        self.rings: dict[int, Ring] = {}
        self.unconfirmed: list[Ring] = []
        # Those that have not been found stopped yet.
        self._going_on: list[Ring] = []

    @classmethod
    def of(cls, at: At) -> "Run":
        """The current run, after this message has told of starts and stops."""
        run: Run = at.memory.setdefault("run", cls())
        if not at.over and not at.message.reply:
            ring = ring_of(at)
            if ring is not None and ring.running and ring.runs_since == at.frame:
                run.rings[ring.index] = ring
                run._going_on.append(ring)
            elif (
                ring is not None
                and ring.stopped_in == at.frame
                and not run.unconfirmed
                and at.connection.latest_run > at.connection.answered
            ):
                run.unconfirmed = [each for each in run.rings.values() if is_unconfirmed(at, each)]
        return run

    @property
    def began(self) -> int:
        """When it began, in ns."""
        return min(ring.began for ring in self.rings.values())

    def is_over(self) -> bool:
        """Whether all its rings have stopped, and where is known."""
        going_on = self._going_on
        while going_on and has_stopped(going_on[-1]):
            going_on.pop()
        if not going_on:
            # One that had stopped may have been started in another way meanwhile.
            going_on += [ring for ring in self.rings.values() if not has_stopped(ring)]
        return bool(self.rings) and not going_on

    def is_idle(self, at: At) -> bool:
        """Whether it was long, and none of its rings has moved."""
        return at.connection.time - self.began >= SECOND and all(has_not_moved(ring) for ring in self.rings.values())


def has_stopped(ring: Ring) -> bool:
    """Whether the ring has stopped, and where is known."""
    return ring.started is Started.STOPPED and ring.stopped_at is not None


def is_unconfirmed(at: At, ring: Ring) -> bool:
    """Whether no request that was sent after the ring began to run has been answered."""
    return ring.runs_since > at.connection.answered


def has_not_moved(ring: Ring) -> bool:
    """Whether the ring has stopped where it began."""
    return ring.base is not None and ring.stopped_at is not None and ring.base & POSITION == ring.stopped_at & POSITION
