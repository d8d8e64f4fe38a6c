"""Collects the times of a capture from its events as they pass."""

from collections.abc import Iterable, Iterator, Sequence

from vudissect.capture.record import RecordKind
from vudissect.lint.finding import Finding
from vudissect.protocol.model import Side
from vudissect.session.event import Event
from vudissect.session.phases import Phase
from vudissect.timing.answers import Answers
from vudissect.timing.migration import Track
from vudissect.timing.values import ConnectionTimes, PhaseTime, Reconnect, Span, Times

# Of each connection so many phases are kept, and of a capture so many connections.
_MOST_PHASES = 100
_MOST_CONNECTIONS = 100


class _Connection:
    """The times of one connection while it lasts."""

    def __init__(self, event: Event) -> None:
        record, state = event.record, event.after
        self.number = record.connection
        self.names = record.peer_names if record.kind is RecordKind.CONNECTION_OPENED else state.programs
        self.answers = Answers()
        self.track = Track(record.connection, record.time)
        self.phases: list[PhaseTime] = []
        self.more_phases = 0
        self.phase = event.before.phase
        self.began, self.began_in = record.time, record.frame
        self.last = event
        # Of each side: until when a request waited for it, and how long requests did in this phase.
        self._until = [0, 0]
        self._waited = [0, 0]

    def add(self, event: Event) -> None:
        """Enter the next event."""
        self.last = event
        if event.message is not None:
            if event.latency is not None and event.request is not None:
                self.answers.add(event, event.latency)
                self._wait(event.record.sender, event.request.forwarded, event.record.received)
            self.track.add(event)
        if event.after.phase is not self.phase:
            self._change(event)

    def _wait(self, side: Side, start: int, end: int) -> None:
        """A request waited for this side. Requests that waited at the same time count once."""
        self._waited[side] += max(0, end - max(start, self._until[side]))
        self._until[side] = max(end, self._until[side])

    def _change(self, event: Event) -> None:
        """Another phase begins."""
        record = event.record
        span = Span(self.phase.value, self.began, record.time - self.began, self.began_in, record.frame)
        if len(self.phases) < _MOST_PHASES:
            self.phases.append(PhaseTime(span, (self._waited[0], self._waited[1])))
        else:
            self.more_phases += 1
        self.phase, self.began, self.began_in = event.after.phase, record.time, record.frame
        self._waited = [0, 0]

    def times(self) -> ConnectionTimes:
        """What was collected."""
        state = self.last.after
        open_end = state.phase is not Phase.CLOSED
        if open_end:
            self._change(self.last)
        latencies = tuple(self.answers.latencies(self.number))
        return ConnectionTimes(
            self.number, state.label, self.names, state.guess.device, state.whole, open_end,
            tuple(self.phases), latencies, self.more_phases,
        )  # fmt: skip


class Collector:
    """Iterate over `watch` of all events, once and in order, then ask for the times."""

    def __init__(self) -> None:
        self._open: dict[int, _Connection] = {}
        self._done: list[_Connection] = []
        self._total = 0
        self._reconnects: list[Reconnect] = []
        # By programs: the connection that was closed last, when, and the reconnect that replaced it.
        self._closed: dict[tuple[str, str], tuple[int, int]] = {}
        self._recovering: dict[int, tuple[int, int]] = {}

    def watch(self, judged: Iterable[tuple[Event, Sequence[Finding]]]) -> Iterator[tuple[Event, Sequence[Finding]]]:
        """The same events and findings."""
        for pair in judged:
            event = pair[0]
            number = event.record.connection
            if number:
                connection = self._open.get(number)
                if connection is None:
                    connection = self._begin(event)
                connection.add(event)
                if number in self._recovering and event.after.phase is Phase.RUNNING:
                    self._recovered(event)
                if event.record.kind is RecordKind.CONNECTION_CLOSED:
                    self._close(event)
            yield pair

    def _begin(self, event: Event) -> _Connection:
        connection = self._open[event.record.connection] = _Connection(event)
        self._total += 1
        lost = self._closed.pop(connection.names, None)
        if lost is not None and event.record.kind is RecordKind.CONNECTION_OPENED:
            before, when = lost
            self._recovering[connection.number] = (len(self._reconnects), when)
            found = Reconnect(before, connection.number, event.record.frame, event.record.time - when, None)
            self._reconnects.append(found)
        return connection

    def _recovered(self, event: Event) -> None:
        place, when = self._recovering.pop(event.record.connection)
        self._reconnects[place] = self._reconnects[place]._replace(back=event.record.time - when)

    def _close(self, event: Event) -> None:
        connection = self._open.pop(event.record.connection)
        self._recovering.pop(connection.number, None)
        self._closed[connection.names] = connection.number, event.record.time
        if len(self._done) < _MOST_CONNECTIONS:
            self._done.append(connection)

    def finish(self, file: str, unknown: Sequence[str]) -> Times:
        """The times, after the last event; `unknown` is what the capture does not have, in words."""
        connections = self._all()
        times = tuple(connection.times() for connection in connections)
        return Times(file, times, self._total, tuple(self._reconnects), unknown)

    def tracks(self) -> list[Track]:
        """What each connection did for a migration."""
        return [connection.track for connection in self._all()]

    def _all(self) -> list[_Connection]:
        kept = self._done + list(self._open.values())
        return sorted(kept, key=lambda each: each.number)[:_MOST_CONNECTIONS]
