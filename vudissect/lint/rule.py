"""How a rule is written.

    RULES = RuleBook()

    @RULES.rule("VU-VRG-03", Severity.ERROR, "a ring is enabled with 0 or 1", SPEC, requests(Effect.ENABLE_RING))
    def enable_value(at: At) -> Findings:
        if at.fields["num"] > 1:
            yield at.finding(f"ring {at.fields['index']} is enabled with {at.fields['num']}, only 0 and 1 are defined")

A rule asks the session's state, which has taken in the message already. What it must remember of earlier messages it
keeps in `at.memory`, a dictionary of its own for each connection.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from vudissect.capture.record import RecordKind
from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.session.connection import Connection
from vudissect.session.event import Event
from vudissect.session.pairing import Request
from vudissect.spec.effect import Effect
from vudissect.spec.model import Channel, Message, Side
from vudissect.wire.codec import WireMessage
from vudissect.wire.fields import Fields, to_fields

SPEC = "QEMU docs/interop/vhost-user.rst"

# An answer that takes longer (ns) is out of the ordinary: DPDK takes 0.9 s to populate memory, nobody else so long.
SLOW = 1_000_000_000

# A hostile peer must not fill the memory of a rule.
_MOST_KEYS = 256

_BLAMES = {Side.FRONT_END: Blame.FRONT_END, Side.BACK_END: Blame.BACK_END}


@dataclass(frozen=True, slots=True)
class Trigger:
    """When a rule is asked: for the messages that `matches` picks by row and direction, or for events of `kinds`.

    `irregular` asks only for messages that are out of the ordinary: malformed, with unusual flags, with marks; answers
    to nothing, late ones, and those that tell of a failure.
    `carrying` asks for messages that carry descriptors.
    `at_end` asks once where the capture ends, for each connection that is still open.
    """

    matches: Callable[[Message | None, bool], bool] | None = None
    kinds: frozenset[RecordKind] = frozenset()
    irregular: bool = False
    carrying: bool = False
    at_end: bool = False

    def __or__(self, other: "Trigger") -> "Trigger":
        """Whenever either of two asks."""
        picks = [trigger.matches for trigger in (self, other) if trigger.matches is not None]
        return Trigger(
            (lambda row, reply: any(matches(row, reply) for matches in picks)) if picks else None,
            self.kinds | other.kinds,
            self.irregular or other.irregular,
            self.carrying or other.carrying,
            self.at_end or other.at_end,
        )


def requests(*effects: Effect) -> Trigger:
    """For requests that have one of these effects; without effects for all requests."""
    return Trigger(lambda row, reply: not reply and (not effects or (row is not None and row.effect in effects)))


def replies(*effects: Effect) -> Trigger:
    """For answers to requests that have one of these effects; without effects for all answers."""
    return Trigger(lambda row, reply: reply and (not effects or (row is not None and row.effect in effects)))


def messages(where: Callable[[Message | None, bool], bool]) -> Trigger:
    """For the messages whose row and direction (is it a reply?) satisfy a condition."""
    return Trigger(where)


def irregular() -> Trigger:
    """For messages that are out of the ordinary (see `Trigger`), of any row."""
    return Trigger(irregular=True)


def carrying() -> Trigger:
    """For messages with descriptors, of any row."""
    return Trigger(carrying=True)


def events(*kinds: RecordKind) -> Trigger:
    """For what the proxy noted: opened, closed, gaps."""
    return Trigger(kinds=frozenset(kinds))


def ending() -> Trigger:
    """When a connection is closed, and where the capture ends for those that are open."""
    return Trigger(kinds=frozenset({RecordKind.CONNECTION_CLOSED}), at_end=True)


# The last few events of each channel, by its number.
Recent = tuple[deque[Event], ...]

Findings = Iterator[Finding]
Check = Callable[["At"], Findings]


@dataclass(frozen=True)
class Rule:
    """A rule: its id, how bad it is to break it, what it says, where that is written, and the function that checks it.

    `undecided` says why a capture alone cannot decide it; then there is no `check`.
    """

    id: str
    severity: Severity
    statement: str
    source: str
    trigger: Trigger | None = None
    check: Check | None = None
    undecided: str = ""


class RuleBook:
    """The rules of one family."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    def rule(
        self, number: str, severity: Severity, statement: str, source: str, trigger: Trigger
    ) -> Callable[[Check], Check]:
        """Enter the function that follows as the check of a rule; `statement` says what must hold."""

        def enter(check: Check) -> Check:
            self._rules.append(Rule(number, severity, statement, source, trigger, check))
            return check

        return enter

    def undecided(self, number: str, severity: Severity, statement: str, source: str, why: str) -> None:
        """Enter a rule that a capture alone cannot decide, and why."""
        self._rules.append(Rule(number, severity, statement, source, undecided=why))


class At:
    """The place at which a rule is asked: an event, or the end of a connection (`event` is then its last one)."""

    def __init__(
        self,
        event: Event,
        memories: dict[str, dict[Any, Any]],
        lasting: dict[str, dict[Any, Any]],
        recent: Recent,
        found: Iterable[Finding],
        lost_sync: dict[tuple[int, Channel], int],
        finished: bool = False,
    ) -> None:
        self.event = event
        self.rule: Rule
        self._finished = finished
        self._memories = memories
        self._lasting = lasting
        self._recent = recent
        self._found = found
        self._lost_sync = lost_sync

    @property
    def connection(self) -> Connection:
        """The state after the event."""
        return self.event.connection

    @property
    def over(self) -> bool:
        """Whether this is the end: the connection was closed, or the capture ends."""
        return self._finished or self.event.record.kind is RecordKind.CONNECTION_CLOSED

    @property
    def unanswered(self) -> tuple[Request, ...]:
        """Where a connection or channel ends: the requests that did not get the answer that they are owed."""
        if not self._finished:
            return self.event.unanswered
        return tuple(request for waiting in self.connection.waiting for request in waiting.owed())

    @property
    def message(self) -> WireMessage:
        """The message; only to be asked for where the trigger is a message."""
        assert self.event.message is not None
        return self.event.message

    @cached_property
    def fields(self) -> Fields:
        """The payload by field name; empty where it fits no layout."""
        message = self.message
        return to_fields(message.layout, message.values) if message.layout is not None else {}

    @property
    def name(self) -> str:
        """The name of the message."""
        return self.message.row.name if self.message.row is not None else f"message {self.message.id}"

    @property
    def frame(self) -> int:
        """The number of the frame."""
        return self.event.record.frame

    @property
    def memory(self) -> dict[Any, Any]:
        """What this rule remembers of this connection."""
        return self._memories.setdefault(self.rule.id, {})

    @property
    def lasting_memory(self) -> dict[Any, Any]:
        """What this rule remembers across connections."""
        return self._lasting.setdefault(self.rule.id, {})

    def recent(self, channel: Channel) -> list[Event]:
        """The last few messages on a channel of this connection, this one included; the newest stands last."""
        return [event for event in self._recent[channel] if event.message is not None]

    def found_in(self, frame: int) -> list[Finding]:
        """What rules have found in a recent frame of this connection."""
        return [finding for finding in self._found if finding.frame == frame]

    def first(self, key: Hashable = None) -> bool:
        """Whether this rule has not asked this before about the same key on this connection."""
        known: set[Hashable] = self.memory.setdefault("asked before", set())
        if key in known or len(known) >= _MOST_KEYS:
            return False
        known.add(key)
        return True

    @property
    def sender(self) -> Blame:
        """The side that sent the message."""
        return _BLAMES.get(self.event.record.sender, Blame.UNKNOWN)

    @property
    def receiver(self) -> Blame:
        """The side that the message was sent to."""
        return Blame.BACK_END if self.sender is Blame.FRONT_END else Blame.FRONT_END

    def lose_sync(self) -> None:
        """From here on answers on this channel no longer belong to what was asked; rules are not asked about them."""
        self._lost_sync.setdefault((self.connection.number, self.event.record.channel), self.frame)

    def lost_sync(self, channel: Channel) -> int | None:
        """The frame in which the answers of a channel lost their requests, if they did."""
        return self._lost_sync.get((self.connection.number, channel))

    def finding(
        self,
        message: str,
        blame: Blame | None = None,
        *,
        frame: int | None = None,
        frames: tuple[int, ...] = (),
        severity: Severity | None = None,
    ) -> Finding:
        """A finding of this rule, on this message and its sender, as bad as the rule says, unless said otherwise."""
        return Finding(
            self.rule.id,
            self.rule.severity if severity is None else severity,
            self.sender if blame is None else blame,
            self.connection.number,
            self.frame if frame is None else frame,
            frames,
            message,
            self.rule.source,
        )
