"""Asks the rules about every event, as few of them as possible."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any

from vudissect.capture.record import Mark, RecordKind
from vudissect.lint.finding import Finding
from vudissect.lint.rule import SLOW, At, Recent, Rule, Trigger
from vudissect.lint.rules import ALL_RULES
from vudissect.session.event import Event, Kind
from vudissect.spec.model import Channel, Message
from vudissect.wire.codec import WireMessage
from vudissect.wire.header import NEED_REPLY, REPLY, VERSION

# Flags of a message about which there is nothing to say; the GPU channel has no version.
_REGULAR_FLAGS = (
    (frozenset({VERSION, VERSION | NEED_REPLY}), frozenset({VERSION | REPLY})),
    (frozenset({VERSION, VERSION | NEED_REPLY}), frozenset({VERSION | REPLY})),
    (frozenset({0}), frozenset({REPLY})),
)
_REGULAR_MARKS = int(Mark.GLUED | Mark.BIG_ENDIAN)

# Repetitions are counted, not told again.
_MOST_OF_A_RULE = 20

# How much of what was said last on a channel, and found last on a connection, a rule can look back at.
_RECENT = 4
_RECENT_FINDINGS = 16


class Linter:
    """Finds what is wrong in a session. Feed it every event, in order; `finish` asks about what is left open.

    A rule that is broken over and over on one connection is told `_MOST_OF_A_RULE` times; `withheld` counts the rest.
    """

    def __init__(self, rules: Iterable[Rule] = ALL_RULES) -> None:
        self._rules = tuple(rule for rule in rules if rule.check is not None)
        self._for_message: dict[tuple[Message | None, bool], tuple[Rule, ...]] = {}
        self._irregular = self._of(lambda trigger: trigger.irregular)
        self._carrying = self._of(lambda trigger: trigger.carrying)
        self._at_end = self._of(lambda trigger: trigger.at_end)
        self._for_event = {kind: self._of(partial(_is_about, kind)) for kind in RecordKind}
        self._memories: dict[int, dict[str, dict[Any, Any]]] = {}
        self._lasting: dict[str, dict[Any, Any]] = {}
        self._told: dict[tuple[int, str], int] = {}
        self._found: dict[int, deque[Finding]] = {}
        self._recent: dict[int, Recent] = {}
        self.withheld: dict[str, int] = {}
        self._lost_sync: dict[tuple[int, Channel], int] = {}

    def check(self, event: Event) -> list[Finding]:
        """What is wrong with this event."""
        message = event.message
        number = event.record.connection
        recent = self._recent.get(number)
        if recent is None:
            recent = self._recent[number] = tuple(deque(maxlen=_RECENT) for _ in Channel)
        recent[event.record.channel].append(event)
        if message is None:
            rules = self._for_event[event.record.kind]
        else:
            key = (message.row, message.reply)
            found = self._for_message.get(key)
            rules = found if found is not None else self._new_rules(*key)
            if message.reply and (number, event.record.channel) in self._lost_sync:
                return []  # all that follows a lost synchronisation is its consequence
            if _is_irregular(event):
                rules = _joined(self._irregular, rules)
            if event.descriptors:
                rules = _joined(self._carrying, rules)
        findings = list(self._ask(rules, event)) if rules else []
        if event.record.kind is RecordKind.CONNECTION_CLOSED:
            self._forget(number)
        return findings

    def judge(self, events: Iterable[Event]) -> Iterator[tuple[Event, list[Finding]]]:
        """Each event with what is wrong with it; the state of the session is the one after that event."""
        for event in events:
            yield event, self.check(event)

    def finish(self) -> list[Finding]:
        """What is wrong where the capture ends, on connections that are still open."""
        last = [max(chain(*recent), key=lambda event: event.record.frame) for recent in self._recent.values()]
        return [finding for event in last for finding in self._ask(self._at_end, event, finished=True)]

    def _ask(self, rules: tuple[Rule, ...], event: Event, *, finished: bool = False) -> Iterator[Finding]:
        number = event.record.connection
        memories = self._memories.setdefault(number, {})
        found = self._found.setdefault(number, deque(maxlen=_RECENT_FINDINGS))
        at = At(event, memories, self._lasting, self._recent[number], found, self._lost_sync, finished)
        for rule in rules:
            at.rule = rule
            assert rule.check is not None
            for finding in rule.check(at):
                found.append(finding)
                told = self._told[number, rule.id] = self._told.get((number, rule.id), 0) + 1
                if told <= _MOST_OF_A_RULE:
                    yield finding
                else:
                    self.withheld[rule.id] = self.withheld.get(rule.id, 0) + 1

    def _of(self, wanted: Callable[[Trigger], bool]) -> tuple[Rule, ...]:
        return tuple(rule for rule in self._rules if rule.trigger is not None and wanted(rule.trigger))

    def _new_rules(self, row: Message | None, reply: bool) -> tuple[Rule, ...]:
        rules = self._of(lambda trigger: bool(trigger.matches and trigger.matches(row, reply)))
        self._for_message[row, reply] = rules
        return rules

    def _forget(self, number: int) -> None:
        self._memories.pop(number, None)
        self._recent.pop(number, None)
        self._found.pop(number, None)
        for channel in Channel:
            self._lost_sync.pop((number, channel), None)


def _is_about(kind: RecordKind, trigger: Trigger) -> bool:
    return kind in trigger.kinds


def _joined(special: tuple[Rule, ...], rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Both, each rule once."""
    return tuple(rule for rule in special if rule not in rules) + rules


def _is_irregular(event: Event) -> bool:
    message = event.message
    assert message is not None
    return (
        event.kind is Kind.MALFORMED
        or message.flags not in _REGULAR_FLAGS[event.record.channel][message.reply]
        or bool(int(event.record.marks) & ~_REGULAR_MARKS)
        or (message.reply and _is_odd_answer(event, message))
    )


def _is_odd_answer(event: Event, message: WireMessage) -> bool:
    """Whether an answer belongs to nothing, comes late or behind a later one, or says that the request failed."""
    request, layout = event.request, message.layout
    return (
        request is None
        or request.overtaken > 0
        or (event.latency or 0) > SLOW
        or (layout is not None and layout.failure != 0 and message.values[0] & layout.failure != 0)
    )
