"""Where a rule is asked, and what it can ask back: the message, the state, and what was remembered of earlier ones."""

from collections import deque
from collections.abc import Hashable
from itertools import chain
from typing import Any, Protocol

from vudissect.capture.record import RecordKind
from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.protocol.model import Channel, Row
from vudissect.session.event import Event
from vudissect.session.pairing import Pairing, Request
from vudissect.session.session import Session
from vudissect.session.state import State
from vudissect.wire.codec import WireMessage
from vudissect.wire.fields import Fields, to_fields

# A hostile peer must not fill the memory of a rule.
_MOST_KEYS = 256
# So many are searched as quickly in a row, which takes less room.
_FEW_KEYS = 4

# How much of what was said last on a channel, and found last on a connection, a rule can look back at.
_RECENT = 4
_RECENT_FINDINGS = 16
# Of a message: those on the GPU channel are pictures.
MOST_BYTES = 1024

# By `Side`.
_BLAMES = (Blame.FRONT_END, Blame.BACK_END, Blame.UNKNOWN)


class Asked(Protocol):
    """What a finding says of the rule that made it."""

    @property
    def id(self) -> str:
        """VU-…"""

    @property
    def severity(self) -> Severity:
        """How bad it is to break it."""

    @property
    def source(self) -> str:
        """Where it is written."""


class Remembered:
    """What is remembered of one connection: by each rule, and of the last events and findings.

    `memories` is what each rule has put down, `asked` what it has spoken of and need not again, `told` how often it has
    found something, `met` which kinds of messages have come that some rules are asked about only once. Little of it is
    there before it is needed: a capture may have any number of connections.
    """

    __slots__ = ("asked", "found", "lost_sync", "memories", "met", "recent", "settled", "told")

    def __init__(self) -> None:
        self.memories: dict[str, dict[Any, Any]] = {}
        self.asked: dict[str, tuple[Hashable, ...] | set[Hashable]] = {}
        self.met: tuple[tuple[Row | None, bool], ...] = ()
        self.recent: tuple[deque[Event] | list[Event], ...] = tuple([] for _ in Channel)
        self.found: list[Finding] = []
        self.told: dict[str, int] = {}
        self.lost_sync: dict[Channel, int] = {}
        self.settled = True

    def tell(self, finding: Finding) -> int:
        """One more finding; how many of its rule there were."""
        if len(self.found) == _RECENT_FINDINGS:
            del self.found[0]
        self.found.append(finding)
        told = self.told[finding.rule] = self.told.get(finding.rule, 0) + 1
        return told

    def first(self, rule: str, key: Hashable) -> bool:
        """Whether a rule has not asked this before about the same key."""
        known = self.asked.get(rule, ())
        if key in known or len(known) >= _MOST_KEYS:
            return False
        if isinstance(known, set):
            known.add(key)
        else:
            self.asked[rule] = (*known, key) if len(known) < _FEW_KEYS else {*known, key}
        return True

    @property
    def last(self) -> Event:
        """The last event on any channel."""
        return max(chain(*self.recent), key=lambda event: event.record.frame)

    def wake(self) -> None:
        """Make ready for what comes."""
        self.settled = False
        self.recent = tuple(deque(recent, _RECENT) for recent in self.recent)

    def settle(self) -> None:
        """Keep no more of the recent events than the last one, and nothing that is empty."""
        self.settled = True
        self.memories = {rule: memory for rule, memory in self.memories.items() if memory}
        last = self.last
        self.recent = tuple([last] if last.record.channel is channel else [] for channel in Channel)


def beginning(event: Event) -> Event:
    """An event of which only the beginning of its message is remembered, and no values, if it is that long."""
    record, message = event.record, event.message
    data = record.data[:MOST_BYTES]
    return event._replace(
        record=record._replace(data=data),
        message=message._replace(data=data, values=()) if message is not None else None,
    )


class At:
    """The place at which a rule is asked: an event, or the end of a connection (`event` is then its last one)."""

    __slots__ = ("_fields", "_finished", "_lasting", "_remembered", "_session", "event", "rule")

    def __init__(self, session: Session, lasting: dict[str, dict[Any, Any]]) -> None:
        self.event: Event
        self.rule: Asked
        self._session = session
        self._remembered: Remembered
        self._lasting = lasting
        self._finished = False
        self._fields: Fields | None = None

    def move(self, event: Event, remembered: Remembered, *, finished: bool = False) -> None:
        """Go to another event; `finished`: to the end of its connection, of which it is the last one."""
        self.event = event
        self._remembered = remembered
        self._finished = finished
        self._fields = None

    @property
    def before(self) -> State:
        """The state of the connection before the event."""
        return self.event.before

    @property
    def after(self) -> State:
        """The state of the connection after the event."""
        return self.event.after

    @property
    def waiting(self) -> Pairing:
        """What waits for an answer on this connection now."""
        return self._session.pairing(self.event.record.connection)

    @property
    def time(self) -> int:
        """When the event was (ns, on the clock of the recording machine)."""
        return self.event.record.received

    @property
    def over(self) -> bool:
        """Whether this is the end: the connection was closed, or the capture ends."""
        return self._finished or self.event.record.kind is RecordKind.CONNECTION_CLOSED

    @property
    def unanswered(self) -> tuple[Request, ...]:
        """Where a connection or channel ends: the requests that did not get the answer that they are owed."""
        if not self._finished:
            return self.event.unanswered
        return self.waiting.owed()

    @property
    def message(self) -> WireMessage:
        """The message; only to be asked for where the trigger is a message."""
        assert self.event.message is not None
        return self.event.message

    @property
    def fields(self) -> Fields:
        """The payload by field name; empty where it fits no layout."""
        if self._fields is None:
            message = self.message
            self._fields = to_fields(message.layout, message.values) if message.layout is not None else {}
        return self._fields

    @property
    def name(self) -> str:
        """The name of the message."""
        return self.message.name

    @property
    def frame(self) -> int:
        """The number of the frame."""
        return self.event.record.frame

    @property
    def memory(self) -> dict[Any, Any]:
        """What this rule remembers of this connection."""
        memory = self._remembered.memories.get(self.rule.id)
        if memory is None:
            memory = self._remembered.memories[self.rule.id] = {}
        return memory

    @property
    def lasting_memory(self) -> dict[Any, Any]:
        """What this rule remembers across connections."""
        return self._lasting.setdefault(self.rule.id, {})

    def recent(self, channel: Channel) -> list[Event]:
        """The last few messages on a channel of this connection, this one included; the newest stands last.

        Of a long one only the beginning is there, without its values.
        """
        return [event for event in self._remembered.recent[channel] if event.message is not None]

    def found_in(self, frame: int) -> list[Finding]:
        """What rules have found in a recent frame of this connection."""
        return [finding for finding in self._remembered.found if finding.frame == frame]

    def first(self, key: Hashable = None) -> bool:
        """Whether this rule has not asked this before about the same key on this connection."""
        return self._remembered.first(self.rule.id, key)

    @property
    def sender(self) -> Blame:
        """The side that sent the message."""
        return _BLAMES[self.event.record.sender]

    @property
    def receiver(self) -> Blame:
        """The side that the message was sent to."""
        return Blame.BACK_END if self.sender is Blame.FRONT_END else Blame.FRONT_END

    def lose_sync(self) -> None:
        """From here on answers on this channel no longer belong to what was asked; rules are not asked about them."""
        self._remembered.lost_sync.setdefault(self.event.record.channel, self.frame)

    def lost_sync(self, channel: Channel) -> int | None:
        """The frame in which the answers of a channel lost their requests, if they did."""
        return self._remembered.lost_sync.get(channel)

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
            self.after.number,
            self.frame if frame is None else frame,
            frames,
            message,
            self.rule.source,
        )
