"""Requests that have waited so long that they are reported while they wait, and again at growing intervals.

The caller passes the time, on the clock of the records (ns).
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from vudissect.protocol.model import Channel, Side
from vudissect.protocol.usual import late_after, may_take_long
from vudissect.session.pairing import Request
from vudissect.session.session import Session
from vudissect.session.state import State

_FIRST: Final = 5_000_000_000
# Each interval is this many times as long as the previous one: 5 s, 15 s, 45 s.
_GROWTH: Final = 3


class Wait(NamedTuple):
    """A request of a connection that has waited for its answer for a time (ns), and how many wait after it."""

    connection: int
    request: Request
    time: int
    others: int = 0

    @property
    def text(self) -> str:
        """The time and the request: `5 s for the answer to GET_FEATURES (#2)`."""
        after = f"; {self.others} more requests wait after it" if self.others else ""
        return f"{self.time // 1_000_000_000} s for the answer to {self.request.name} (#{self.request.frame}){after}"


def long_waits(state: State, requests: Iterable[Request], now: int) -> tuple[Wait, ...]:
    """The unanswered requests of a connection that have waited longer than usual."""
    return tuple(
        Wait(state.number, request, now - request.forwarded)
        for request in requests
        if now - request.forwarded >= _first_report(state, request) and not may_take_long(request.row)
    )


class Patience:
    """Decides when the waits of a session are reported."""

    def __init__(self, session: Session) -> None:
        self._session = session
        # How long the request of a frame must wait to be reported again.
        self._next: dict[int, int] = {}

    def overdue(self, now: int) -> list[Wait]:
        """The waits to report now: the longest one on each channel."""
        waits: list[Wait] = []
        known, self._next = self._next, {}
        for number, state in self._session.states.items():
            pairing = self._session.pairing(number)
            for channel in Channel:
                oldest, *others = pairing[channel].owed() or (None,)
                if oldest is None or may_take_long(oldest.row):
                    continue
                waited = now - oldest.forwarded
                due = known.get(oldest.frame, _first_report(state, oldest))
                if waited >= due:
                    waits.append(Wait(number, oldest, waited, len(others)))
                    while due <= waited:
                        due *= _GROWTH
                self._next[oldest.frame] = due
        return waits


def _first_report(state: State, request: Request) -> int:
    answerer = Side(1 - request.channel.initiator)
    return max(_FIRST, late_after(request.row, state.programs[answerer]))
