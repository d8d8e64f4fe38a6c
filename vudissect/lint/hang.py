"""Who still waits for whom where a connection or a channel ends."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from vudissect.capture.record import Record, RecordKind
from vudissect.lint.at import At
from vudissect.lint.rule import SLOW, Trigger, ending, events
from vudissect.protocol.model import Channel, Side
from vudissect.session.pairing import Request


class Hang(NamedTuple):
    """The requests that wait for an answer where a connection ends, oldest first, by channel.

    `by` is the label of the side that closed it, "" where the capture ends before that; `at` the time (ns) of the end.
    """

    waits: dict[Channel, tuple[Request, ...]]
    by: str
    at: int

    def waited(self, request: Request) -> int:
        """How long a request has been waiting (ns)."""
        return self.at - request.forwarded

    def in_vain(self, request: Request) -> bool:
        """Whether whoever asked was kept waiting; where the capture ends nobody can tell, and it is worth a look."""
        return not self.by or self.waited(request) >= SLOW

    @property
    def cycle(self) -> tuple[Request, Request] | None:
        """What the front-end and the back-end each want of the other before they go on."""
        main = self.waits.get(Channel.MAIN, ())
        other = self.waits.get(Channel.BACKEND) or self.waits.get(Channel.GPU, ())
        if main and other and self.in_vain(main[0]) and self.in_vain(other[0]):
            return main[0], other[0]
        return None


# When `hang_of` wants to be asked: a channel may be closed a moment before its connection.
ENDINGS: Trigger = events(RecordKind.CHANNEL_CLOSED) | ending()


@dataclass(slots=True)
class Closings:
    """Where channels were closed, and with which requests that still waited."""

    channels: dict[Channel, tuple[Record, tuple[Request, ...]]] = field(default_factory=dict)


def hang_of(at: At[Closings]) -> Hang | None:
    """What is still waited for; None before the end. Channels that are out of step do not count."""
    record, closings = at.event.record, at.memory.channels
    if not at.over:
        closings[record.channel] = (record, at.event.unanswered)
        return None
    is_closed = record.kind is RecordKind.CONNECTION_CLOSED
    waiting = at.event.unanswered if is_closed else at.waiting.owed()
    waits: dict[Channel, tuple[Request, ...]] = {}
    for channel in Channel:
        owed = tuple(request for request in waiting if request.channel is channel)
        if not owed and channel in closings:
            closed, owed = closings[channel]
            if closed.details.get("by") != Side.PROXY.label and record.received - closed.received >= SLOW:
                owed = ()  # it was closed for a reason of its own
        if owed and at.lost_sync(channel) is None:
            waits[channel] = owed
    return Hang(waits, str(record.details.get("by", "")) if is_closed else "", record.received)


def may_take_long(request: Request) -> bool:
    """Whether an answer says that a frame was shown, which a hidden window never does; for EDIDs see VU-GPU-02."""
    row = request.row
    if row is None or row.channel is not Channel.GPU:
        return False
    return bool(row.gate.gpu) or not any(layout.size for layout in row.reply)


def waited_in_vain(at: At) -> Iterator[Request]:
    """Where a connection or channel ends: the owed requests that whoever asked did not give up at once."""
    for request in at.unanswered:
        waited = at.event.record.received - request.forwarded
        if left_by(at) != request.channel.initiator.label or waited >= SLOW:
            yield request


def left_by(at: At) -> str:
    """Who closed the connection or channel: the label of a `Side`, "" where nobody did."""
    return str(at.event.record.details.get("by", ""))
