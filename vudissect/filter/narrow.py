"""Applies a filter to the events of a capture, and to the findings at its end."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from vudissect.capture.record import Mark, RecordKind
from vudissect.filter.language import Filter
from vudissect.filter.seen import Seen
from vudissect.lint.finding import Finding
from vudissect.protocol.model import Channel, Side
from vudissect.session.event import ConnectionEvent, Event
from vudissect.session.pairing import Request
from vudissect.session.session import Session
from vudissect.session.state import State


class Narrowed:
    """The events that a filter shows, with their findings."""

    def __init__(self, wanted: Filter, judged: Iterable[tuple[Event, Sequence[Finding]]]) -> None:
        self.messages = 0
        """The number of messages so far."""
        self.last: Event | None = None
        """The last event."""
        self.matched = False
        """Whether any event was shown."""
        self.wanted = wanted
        self.found = [Seen(asked) for asked in wanted.asked]
        """What the capture has, until something matches."""
        self._judged = judged

    def __iter__(self) -> Iterator[tuple[Event, Sequence[Finding]]]:
        wanted = self.wanted.predicate
        for event, findings in self._judged:
            self.messages += event.record.kind is RecordKind.MESSAGE
            self.last = event
            if wanted(event, findings):
                self.matched = True
                yield event, findings
            elif not self.matched:
                for found in self.found:
                    found.look(event, findings)

    def ending(self, session: Session, findings: Sequence[Finding]) -> tuple[list[Finding], tuple[Request, ...]]:
        """The matching findings at the end of the capture, and the matching unanswered requests.

        Each open connection gets an event for the end, as if it were closed there.
        """
        if self.last is None:
            return [], ()
        shown: list[Finding] = []
        unanswered: list[Request] = []
        found: defaultdict[int, list[Finding]] = defaultdict(list)
        for finding in findings:
            found[finding.connection].append(finding)
        for number, state in session.states.items():
            owed = session.pairing(number).owed()
            if (owed or number in found) and self.wanted(_end_of(state, self.last), found[number]):
                self.matched = True
                shown += found[number]
                unanswered += owed
        return shown, tuple(unanswered)


def _end_of(state: State, last: Event) -> ConnectionEvent:
    """The event for the end of the capture on a connection."""
    record = last.record._replace(
        kind=RecordKind.CONNECTION_CLOSED,
        connection=state.number,
        channel=Channel.MAIN,
        sender=Side.PROXY,
        length=0,
        data=b"",
        marks=Mark(0),
        descriptors=(),
    )
    return ConnectionEvent(record, state, state, last.elapsed)
