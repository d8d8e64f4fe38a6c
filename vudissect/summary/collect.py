"""Collects a summary from events as they pass: a few numbers for each connection, however long it is."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from vudissect.capture.record import Record, RecordKind
from vudissect.lint.finding import Finding, Severity
from vudissect.lint.groups import grouped
from vudissect.lint.rules import USUAL
from vudissect.protocol.model import Channel, Side
from vudissect.protocol.usual import is_late
from vudissect.session.event import Event, MessageEvent
from vudissect.session.session import Session
from vudissect.session.stalls import stall_of
from vudissect.summary.faults import Injected
from vudissect.summary.peers import peer_of
from vudissect.summary.values import (
    OUTCOMES,
    Answer,
    ConnectionSummary,
    End,
    Missing,
    Outcome,
    Summary,
    Traffic,
    Verdict,
)

_SIDES = 2
_SLOWEST = 3
# Of the connections that have ended, so many of the first, of the last and of those with findings are kept.
_KEPT = 16


class _Tally:
    """What is counted of one connection while it lasts."""

    __slots__ = ("began", "descriptors", "floor", "found", "last", "latest", "messages", "opening", "slowest")

    def __init__(self, event: Event) -> None:
        self.began = event.elapsed
        self.latest: Event = event
        self.last: MessageEvent | None = None
        self.opening: Record | None = None
        # By channel and side.
        self.messages = [0] * (len(Channel) * _SIDES)
        self.descriptors = [0] * (len(Channel) * _SIDES)
        self.slowest: list[Event] = []
        # Faster answers are not among the slowest.
        self.floor = -1
        self.found = False

    def slow(self, event: Event) -> None:
        """Enter an answer that is among the slowest so far."""
        self.slowest.append(event)
        self.slowest.sort(key=_latency, reverse=True)
        if len(self.slowest) > _SLOWEST:
            self.slowest.pop()
            self.floor = _latency(self.slowest[-1])


def _latency(event: Event) -> int:
    return event.latency or 0


class Collector:
    """Iterate over `watch` of all events, once and in order, then ask for the summary."""

    def __init__(self) -> None:
        self._open: dict[int, _Tally] = {}
        self._count = 0
        self._first: list[ConnectionSummary] = []
        self._last: deque[ConnectionSummary] = deque(maxlen=_KEPT)
        self._found: list[ConnectionSummary] = []
        self._findings: list[Finding] = []
        self._frames = self._messages = self._descriptors = 0
        self._gaps = self._missed = 0
        self._faults = Injected()
        self._headless: list[int] = []
        self._started = 0
        self._elapsed = 0

    def watch(self, judged: Iterable[tuple[Event, Sequence[Finding]]]) -> Iterator[tuple[Event, Sequence[Finding]]]:
        """The same events and findings."""
        for pair in judged:
            event, findings = pair
            record = event.record
            self._frames += 1
            tally = self._open.get(record.connection) or self._begin(event)
            tally.latest = event
            if findings:
                tally.found = True
                self._findings += findings
            if record.marks and record.is_earlier:
                # It is a part of the summary of an earlier file.
                if record.kind is RecordKind.CONNECTION_OPENED:
                    tally.opening = record
            elif event.message is not None:
                tally.last = event
                place = record.channel * _SIDES + record.sender
                tally.messages[place] += 1
                if record.descriptors:
                    tally.descriptors[place] += len(record.descriptors)
                latency = event.latency
                if latency is not None and latency > tally.floor:
                    tally.slow(event)
            else:
                self._note(event, tally)
            yield pair

    def _begin(self, event: Event) -> _Tally:
        record = event.record
        tally = _Tally(event)
        if not self._started:
            self._started = record.time
        if record.connection:
            self._count += 1
            self._open[record.connection] = tally
            if record.kind is not RecordKind.CONNECTION_OPENED and len(self._headless) < _KEPT:
                self._headless.append(record.connection)
        return tally

    def _note(self, event: Event, tally: _Tally) -> None:
        record = event.record
        if record.kind is RecordKind.CONNECTION_OPENED:
            tally.opening = record
        elif record.kind is RecordKind.FAULT:
            self._faults.see(record)
        elif record.kind is RecordKind.GAP:
            self._gaps += 1
            missed = record.details.get("messages")
            self._missed += missed if isinstance(missed, int) else 0
        elif record.kind is RecordKind.CONNECTION_CLOSED:
            by, how = (str(record.details.get(key, "")) for key in ("by", "how"))
            self._end(tally, End(by, how, record.frame, tally.last, _since(tally, record.received), event.unanswered))
            del self._open[record.connection]
        self._elapsed = max(self._elapsed, event.elapsed)

    def _end(self, tally: _Tally, end: End) -> ConnectionSummary:
        self._elapsed = max(self._elapsed, tally.latest.elapsed)
        self._messages += sum(tally.messages)
        self._descriptors += sum(tally.descriptors)
        made = _connection(tally, end)
        if len(self._first) < _KEPT:
            self._first.append(made)
        elif tally.found and len(self._found) < _KEPT:
            self._found.append(made)
        else:
            self._last.append(made)
        return made

    def finish(
        self, session: Session, rest: Sequence[Finding], file: str, *, cut: str = "", withheld: int = 0
    ) -> Summary:
        """The summary, after the last event; `rest` are the findings at the end, `cut` is why it ends too early."""
        self._findings += rest
        marked = {finding.connection for finding in rest}
        for number, tally in self._open.items():
            tally.found = tally.found or number in marked
            owed = session.owed(number)
            self._end(tally, End("", "", 0, tally.last, _since(tally, session.time), owed))
        self._open.clear()
        connections = tuple(sorted((*self._first, *self._found, *self._last), key=lambda each: each.number))
        verdict = _verdict(self._findings, self._messages)
        return Summary(
            file,
            self._started,
            self._elapsed,
            self._frames,
            self._messages,
            self._descriptors,
            self._count,
            connections,
            _to_look_at(connections, verdict),
            verdict,
            Missing(cut, self._gaps, self._missed, tuple(self._headless)),
            withheld,
            self._faults,
        )


def _verdict(findings: Sequence[Finding], messages: int) -> Verdict:
    if not messages:
        return Verdict(Outcome.EMPTY)
    notable = [each for each in findings if not _is_usual(each)]
    groups = tuple(grouped(notable))
    outcome = OUTCOMES[groups[0].first.severity] if groups else Outcome.FINE
    return Verdict(outcome, groups, len(findings) - len(notable))


def _is_usual(finding: Finding) -> bool:
    return finding.severity is Severity.INFO and finding.rule in USUAL


def _to_look_at(connections: Sequence[ConnectionSummary], verdict: Verdict) -> ConnectionSummary | None:
    """The connection of the verdict, or the last one."""
    wanted = verdict.finding.connection if verdict.finding is not None else 0
    found = [each for each in connections if each.number == wanted]
    return (found or connections)[-1] if connections else None


def _connection(tally: _Tally, end: End) -> ConnectionSummary:
    latest, state = tally.latest, tally.latest.after
    stall, start = stall_of(state), latest.record.received - latest.elapsed
    traffic = tuple(
        Traffic(Channel(place // _SIDES), Side(place % _SIDES), count, tally.descriptors[place])
        for place, count in enumerate(tally.messages)
        if count
    )
    return ConnectionSummary(
        state.number,
        peer_of(Side.FRONT_END, tally.opening, state),
        peer_of(Side.BACK_END, tally.opening, state),
        state,
        tally.began,
        latest.elapsed - tally.began,
        traffic,
        tuple(_answer(event) for event in tally.slowest),
        end,
        stall._replace(since=max(0, stall.since - start)) if stall is not None else None,
        tally.opening.origin if tally.opening is not None else "",
    )


def _answer(event: Event) -> Answer:
    request, latency = event.request, event.latency
    assert request is not None
    assert latency is not None
    late = is_late(request.row, event.after.programs[event.record.sender], latency)
    return Answer(event.name, event.record.frame, event.record.sender, latency, request.frame, late)


def _since(tally: _Tally, now: int) -> int:
    return now - tally.last.record.received if tally.last is not None else 0
