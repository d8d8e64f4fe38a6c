"""What a rule can look at: the message, the states around it, and what it remembers of earlier ones."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from vudissect.capture.record import Mark, RecordKind
from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.lint.history import History
from vudissect.protocol.model import Channel
from vudissect.session.event import Event, MessageEvent
from vudissect.session.pairing import Pairing, Request
from vudissect.session.session import Session
from vudissect.session.state import State
from vudissect.wire.codec import WireMessage
from vudissect.wire.fields import Fields, to_fields

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    from vudissect.lint.rule import Rule

    # A function that does not use the memory accepts any `At`: `At` alone means `At[object]`.
    Memory_co = TypeVarWithDefault("Memory_co", covariant=True, default=object)
else:
    Memory_co = TypeVar("Memory_co", covariant=True)

Kind = TypeVar("Kind")

# To look a member up in its enumeration takes Python 3.11 as long as all else that a rule does for most messages.
_CLOSED = RecordKind.CONNECTION_CLOSED

# By `Side`.
_BLAMES = (Blame.FRONT_END, Blame.BACK_END, Blame.UNKNOWN)


class At(Generic[Memory_co]):
    """The place at which a rule is called: an event, or the end of a connection (then `event` is its last one).

    `At[Loop]` is for a rule that remembers a `Loop`.
    """

    __slots__ = (
        "_end",
        "_fields",
        "_history",
        "_lasting",
        "_session",
        "after",
        "before",
        "event",
        "finished",
        "late",
        "message",
        "rule",
    )

    def __init__(self, session: Session) -> None:
        self.event: Event
        self.message: WireMessage
        """The message; only valid if the trigger is a message."""
        self.before: State
        """The state of the connection before the event."""
        self.after: State
        """The state of the connection after the event."""
        self.rule: Rule
        self.late = False
        """Whether the session is further on than the event."""
        self._session = session
        self._history: History
        self._lasting: dict[type, Any] = {}
        self.finished = False
        """Whether this is the end of the capture."""
        self._end = 0
        self._fields: Fields | None = None

    def move(self, event: Event, history: History) -> None:
        """Go to another event."""
        message: Any = event.message
        self.event, self.message = event, message
        self.before, self.after = event.before, event.after
        self._history = history
        self._fields = None

    def finish(self, end: int) -> None:
        """From here on every event is the last one of its connection, with which the capture ends (ns)."""
        self.finished, self._end = True, end

    @property
    def waiting(self) -> Pairing:
        """The requests that wait for an answer on this connection; a patient rule must not ask."""
        assert not self.late
        return self._session.pairing(self.event.record.connection)

    @property
    def time(self) -> int:
        """When the event was (ns, on the clock of the recording machine); at the end of the capture, when that was."""
        return self._end if self.finished else self.event.record.received

    @property
    def over(self) -> bool:
        """Whether this is the end of the connection: it was closed, or the capture ends."""
        return self.finished or self.event.record.kind is _CLOSED

    @property
    def unanswered(self) -> tuple[Request, ...]:
        """At the end of a connection or channel, the requests that did not get their answer."""
        if not self.finished:
            return self.event.unanswered
        return self.waiting.owed()

    @property
    def fields(self) -> Fields:
        """The payload by field name; empty if it does not fit any layout."""
        if self._fields is None:
            message = self.message
            self._fields = to_fields(message.layout, message.values)
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
    def memory(self) -> Memory_co:
        """What this rule remembers of this connection, of the type that it `remembers`; at first a new one."""
        memory: Memory_co | None = self._history.memories.get(self.rule.id)
        if memory is None:
            memory = self.restart()
        return memory

    def restart(self) -> Memory_co:
        """Replace what this rule remembers of this connection with a new memory, and return it."""
        memory: Memory_co = self.rule.remembers()
        self._history.memories[self.rule.id] = memory
        return memory

    def lasting(self, kind: type[Kind]) -> Kind:
        """What the rule with this type of memory remembers across connections; at first a new one."""
        memory: Kind | None = self._lasting.get(kind)
        if memory is None:
            memory = self._lasting[kind] = kind()
        return memory

    def recent(self, channel: Channel) -> list[MessageEvent]:
        """The last few messages on a channel of this connection, including this one; the newest comes last.

        A long message is kept only in part, without its values.
        """
        return [event for event in self._history.recent[channel] if event.message is not None]

    def delivered(self, channel: Channel) -> list[MessageEvent]:
        """Those of the recent messages on a channel that reached the other side."""
        return [event for event in self.recent(channel) if not event.record.marks & Mark.NOT_FORWARDED]

    def found_in(self, frame: int) -> list[Finding]:
        """The findings in a recent frame of this connection."""
        return [finding for finding in self._history.findings if finding.frame == frame]

    def first(self, key: Hashable = None) -> bool:
        """True the first time this rule sees `key` on this connection."""
        return self._history.first(self.rule.id, key)

    @property
    def sender(self) -> Blame:
        """The side that sent the message."""
        return _BLAMES[self.event.record.sender]

    @property
    def receiver(self) -> Blame:
        """The side that the message was sent to."""
        return Blame.BACK_END if self.sender is Blame.FRONT_END else Blame.FRONT_END

    def lose_sync(self) -> None:
        """From here on answers on this channel do not match their requests; rules are not called for them."""
        self._history.lost_sync.setdefault(self.event.record.channel, self.frame)

    def lost_sync(self, channel: Channel) -> int | None:
        """The frame after which answers of a channel no longer match their requests; None if they still do."""
        return self._history.lost_sync.get(channel)

    def finding(
        self,
        message: str,
        blame: Blame | None = None,
        *,
        frame: int | None = None,
        frames: tuple[int, ...] = (),
        severity: Severity | None = None,
    ) -> Finding:
        """A finding of this rule. By default it is on this message and its sender, with the severity of the rule."""
        return Finding(
            self.rule.id,
            self.rule.severity if severity is None else severity,
            self.sender if blame is None else blame,
            self.after.number,
            self.frame if frame is None else frame,
            frames,
            message,
            self.rule.source,
            self.after.device_id,
        )
