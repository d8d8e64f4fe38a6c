"""Calls the rules for every event, as few of them as possible."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from vudissect.capture.errors import CaptureError
from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Finding
from vudissect.lint.history import MOST_BYTES, History, beginning
from vudissect.lint.rule import SLOW, Rule, Trigger
from vudissect.lint.rules import ABOUT_FAULTS, ALL_RULES
from vudissect.protocol.model import Row
from vudissect.protocol.table import Protocol
from vudissect.session.event import ConnectionEvent, Event, MessageEvent
from vudissect.session.pairing import Request
from vudissect.session.session import Session
from vudissect.wire.codec import Form, WireMessage
from vudissect.wire.header import NEED_REPLY, REPLY, VERSION

# Bits that select additional rules of a row.
_CARRYING, _IRREGULAR, _ASKING = 1, 2, 4
_KINDS = 8

# The regular flags of a message; the GPU channel has no version.
_REGULAR_FLAGS = (
    (frozenset({VERSION, VERSION | NEED_REPLY}), frozenset({VERSION | REPLY})),
    (frozenset({VERSION, VERSION | NEED_REPLY}), frozenset({VERSION | REPLY})),
    (frozenset({0}), frozenset({REPLY})),
)
_UNMARKED = Mark(0)
_REGULAR_MARKS = int(Mark.GLUED | Mark.BIG_ENDIAN | Mark.KEYS_MASKED | Mark.EARLIER | Mark.ANSWER_UNSEEN)

# Repetitions are counted, not reported again: on one connection, and over all of them.
_MOST_OF_A_RULE = 20
_MOST_OVER_ALL = 2000

# Of a connection that started before this many others, only the last event is remembered.
_MOST_FRESH = 1024

# Few enough for all of them to be in the cache of a processor.
_MOST_IN_A_RUN = 64


class _Selection(NamedTuple):
    """The rules for messages of one row and direction, regular or not, with or without descriptors.

    `always` are those for every message, `once` all for the first one; empty where those are the same. `bit` means
    row and direction in what is remembered of a connection. `patient`: all of them are.
    """

    always: tuple[Rule, ...]
    once: tuple[Rule, ...]
    bit: int
    patient: bool


class Linter:
    """Finds what is wrong in a session. Feed it every event, at once and in order; `finish` checks what is left.

    A rule that is broken repeatedly is reported `_MOST_OF_A_RULE` times per connection and `_MOST_OVER_ALL` times in
    total; `withheld` counts the rest.
    """

    def __init__(self, session: Session, rules: Iterable[Rule] = ALL_RULES) -> None:
        self._session = session
        self._rules = tuple(rules)
        self._for_message: tuple[dict[tuple[Row, bool], _Selection], ...] = tuple({} for _ in range(_KINDS))
        # Of these, those for messages about which nothing is out of the ordinary: nearly all.
        self._for_form: dict[Form, _Selection] = {}
        self._bits: dict[tuple[Row, bool], int] = {}
        self._by_row = [(rule, rule.trigger.matches) for rule in self._rules if rule.trigger.matches is not None]
        self._irregular = self._of(lambda trigger: trigger.irregular)
        # Nobody has seen what was not forwarded: only how it is made can be judged, not what it means.
        self._not_forwarded = _Selection(self._irregular, (), 0, patient=False)
        # Of a message in a log that has only its name, nothing can be judged.
        self._named = _Selection((), (), 0, patient=True)
        self._carrying = self._of(lambda trigger: trigger.carrying)
        self._at_end = self._of(lambda trigger: trigger.at_end)
        self._for_event = {kind: self._of(partial(_is_about, kind)) for kind in RecordKind}
        self._connections: dict[int, History] = {}
        self._fresh: deque[int] = deque()
        self._at = At(session)
        self._counts: Counter[str] = Counter()
        self.withheld: Counter[str] = Counter()

    def check(self, event: Event) -> Sequence[Finding]:
        """What is wrong with this event."""
        if event.message is None:
            return self._check_other(event)
        return self._check_message(event, self._selection_of(event))

    def _check_message(self, event: MessageEvent, selection: _Selection) -> Sequence[Finding]:
        _, number, channel, _, _, _, _, _, length, _, _, _, _, _ = event.record
        history = self._connections.get(number)
        if history is None or history.settled:
            history = self._wake(number)
        history.recent[channel].append(event if length <= MOST_BYTES else beginning(event))
        if history.lost_sync and event.message.reply and channel in history.lost_sync:
            return ()  # all that follows a lost synchronisation is its consequence
        rules = selection.always
        if selection.once and not history.kinds & selection.bit:
            history.kinds |= selection.bit
            rules = selection.once
        return self._ask(rules, event, history) if rules else ()

    def _check_other(self, event: ConnectionEvent) -> Sequence[Finding]:
        record = event.record
        if record.kind is RecordKind.CONNECTION_OPENED and record.is_earlier:
            self._connections.pop(record.connection, None)
        history = self._connections.get(record.connection)
        if history is None or history.settled:
            history = self._wake(record.connection)
        history.recent[record.channel].append(event)
        if record.kind is RecordKind.FAULT and record.details.get("alters") and not history.fault:
            history.fault = record.frame
        findings = self._ask(self._for_event[record.kind], event, history)
        if record.kind is RecordKind.CONNECTION_CLOSED:
            del self._connections[record.connection]
        return findings

    def judge(self, records: Iterable[Record]) -> Iterator[tuple[Event, Sequence[Finding]]]:
        """Each event with its findings."""
        for event in self._session.events(records):
            yield event, self.check(event)

    def runs(self, records: Iterable[Record]) -> Iterator[list[tuple[Event, Sequence[Finding]]]]:
        """The same, some events at a time, with the session some events further on: it is quicker to ask the patient
        rules in a row. All but the last of a run are messages.

        At a change of dialect the session is where the event is.
        """
        run: list[tuple[MessageEvent, _Selection]] = []
        protocol: Protocol | None = None
        try:
            for event in self._session.events(records):
                if event.message is None:
                    protocol = event.after.protocol
                    yield [*self._judged(run), (event, self._check_other(event))]
                    continue
                selection = self._selection_of(event)
                if selection.patient and event.after.protocol is protocol:
                    run.append((event, selection))
                    if len(run) == _MOST_IN_A_RUN:
                        yield self._judged(run)
                else:
                    protocol = event.after.protocol
                    yield [*self._judged(run), (event, self._check_message(event, selection))]
        except CaptureError:
            if run:
                yield self._judged(run)
            raise
        if run:
            yield self._judged(run)

    def _judged(self, run: list[tuple[MessageEvent, _Selection]]) -> list[tuple[Event, Sequence[Finding]]]:
        """The events of a run with their findings; the run is empty after it."""
        self._at.late = True
        check = self._check_message
        judged: list[tuple[Event, Sequence[Finding]]] = [(event, check(event, selection)) for event, selection in run]
        self._at.late = False
        run.clear()
        return judged

    def finish(self) -> list[Finding]:
        """What is wrong where the capture ends, on connections that are still open."""
        findings: list[Finding] = []
        if self._session.continues:
            return findings
        self._at.finish(self._session.time)
        for history in self._connections.values():
            findings += self._ask(self._at_end, history.last, history)
        return findings

    def _ask(self, rules: tuple[Rule, ...], event: Event, history: History) -> Sequence[Finding]:
        at = self._at
        at.move(event, history)
        findings: list[Finding] = []
        for rule in rules:
            at.rule = rule
            for finding in rule.check(at):
                findings += self._entered(rule, finding, history)
        return findings

    def _entered(self, rule: Rule, finding: Finding, history: History) -> Iterator[Finding]:
        """The finding, unless it is known or repeated often."""
        if not self._at.finished and self._at.event.record.is_earlier:
            return  # it is in the file that the message is from
        if history.fault and rule.id not in ABOUT_FAULTS:
            # The two sides may have been misled since then.
            finding = finding._replace(blame=Blame.FAULT, frames=(*finding.frames, history.fault))
        if history.add(finding) <= _MOST_OF_A_RULE and self._counts[rule.id] < _MOST_OVER_ALL:
            self._counts[rule.id] += 1
            yield finding
        else:
            self.withheld[rule.id] += 1

    def _of(self, wanted: Callable[[Trigger], bool]) -> tuple[Rule, ...]:
        return tuple(rule for rule in self._rules if wanted(rule.trigger))

    def _wake(self, number: int) -> History:
        """A connection has an event, for the first time or again: drop what is of little use of older connections."""
        history = self._connections.setdefault(number, History())
        history.wake()
        self._fresh.append(number)
        if len(self._fresh) > _MOST_FRESH:
            oldest = self._connections.get(self._fresh.popleft())
            # Numbers may be reused.
            if oldest is not None and oldest is not history and not oldest.settled:
                oldest.settle()
        return history

    def _new_form(self, form: Form, event: MessageEvent) -> _Selection:
        selection = self._for_form[form] = self._selection(event)
        return selection

    def _selection_of(self, event: MessageEvent) -> _Selection:
        """The rules to be asked about a message."""
        record, _, _, _, _, message, _, request, latency, descriptors = event
        form = message.form
        if form is None or descriptors or record.marks is not _UNMARKED:
            return self._selection(event)
        if form.reply and _is_odd_answer(message, request, latency):
            return self._selection(event)
        return self._for_form.get(form) or self._new_form(form, event)

    def _selection(self, event: MessageEvent) -> _Selection:
        """The rules to be asked about any message."""
        record, message = event.record, event.message
        if record.marks & Mark.NOT_FORWARDED:
            return self._not_forwarded
        if record.is_named:
            return self._named
        kind = _CARRYING if event.descriptors else 0
        if (
            message.problem
            or message.flags not in _REGULAR_FLAGS[record.channel][message.reply]
            or int(record.marks) & ~_REGULAR_MARKS
            or (message.reply and _is_odd_answer(message, event.request, event.latency))
        ):
            kind |= _IRREGULAR
        if message.flags & NEED_REPLY:
            kind |= _ASKING
        key = (message.row, message.reply)
        return self._for_message[kind].get(key) or self._select(key, kind)

    def _select(self, key: tuple[Row, bool], kind: int) -> _Selection:
        asking = bool(kind & _ASKING)
        of_row = tuple(rule for rule, matches in self._by_row if matches(*key) and (asking or not rule.trigger.asking))
        always = tuple(rule for rule in of_row if not rule.trigger.once)
        wanted = []
        for rules in (always, of_row):
            rules = _joined(self._irregular, rules) if kind & _IRREGULAR else rules
            wanted.append(_joined(self._carrying, rules) if kind & _CARRYING else rules)
        bit = self._bits.setdefault(key, 1 << len(self._bits))
        patient = all(rule.patient for rule in wanted[1])
        selection = _Selection(wanted[0], wanted[1] if of_row != always else (), bit, patient)
        self._for_message[kind][key] = selection
        return selection


def _is_about(kind: RecordKind, trigger: Trigger) -> bool:
    return kind in trigger.kinds


def _joined(special: tuple[Rule, ...], rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Both lists, each rule once."""
    return tuple(rule for rule in special if rule not in rules) + rules


def _is_odd_answer(message: WireMessage, request: Request | None, latency: int | None) -> bool:
    """Whether an answer has no request, is late or out of order, or reports a failure."""
    failure = message.layout.failure
    return (
        request is None
        or request.overtaken > 0
        or (latency is not None and latency > SLOW)
        or (failure != 0 and message.values[0] & failure != 0)
    )
