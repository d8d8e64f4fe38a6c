"""Who still waits for whom when a connection or channel ends."""

from collections.abc import Iterator
from dataclasses import field
from typing import NamedTuple

from vudissect.capture.record import Record, RecordKind
from vudissect.lint.at import At
from vudissect.lint.memory import memory
from vudissect.lint.rule import SLOW, Trigger, ending, events
from vudissect.protocol.model import Channel, Side
from vudissect.session.pairing import Request


class Hang(NamedTuple):
    """The requests that wait for an answer when a connection ends, oldest first, by channel.

    `by` is the label of the side that closed it, "" if the capture ends before that; `at` is the time (ns) of the end.
    """

    waits: dict[Channel, tuple[Request, ...]]
    by: str
    at: int

    def waited(self, request: Request) -> int:
        """How long a request has been waiting (ns)."""
        return self.at - request.forwarded

    def in_vain(self, request: Request) -> bool:
        """Whether the requester was kept waiting. At the end of a capture that is unknown, and worth a look."""
        return not self.by or self.waited(request) >= SLOW

    @property
    def cycle(self) -> tuple[Request, Request] | None:
        """The requests with which the front-end and the back-end wait for each other."""
        main = self.waits.get(Channel.MAIN, ())
        other = self.waits.get(Channel.BACKEND) or self.waits.get(Channel.GPU, ())
        if main and other and self.in_vain(main[0]) and self.in_vain(other[0]):
            return main[0], other[0]
        return None


# The trigger of rules that use `hang_of`: a channel may be closed shortly before its connection.
ENDINGS: Trigger = events(RecordKind.CHANNEL_CLOSED) | ending()


@memory
class Closings:
    """Where channels were closed, and which requests were waiting then."""

    channels: dict[Channel, tuple[Record, tuple[Request, ...]]] = field(default_factory=dict)


def hang_of(at: At[Closings]) -> Hang | None:
    """The requests that still wait; None before the end. Channels that are out of sync do not count."""
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
    return Hang(waits, str(record.details.get("by", "")) if is_closed else "", at.time)


def waited_in_vain(at: At) -> Iterator[Request]:
    """At the end of a connection or channel, the unanswered requests whose sender did not give up at once."""
    for request in at.unanswered:
        waited = at.time - request.forwarded
        if left_by(at) != request.channel.initiator.label or waited >= SLOW:
            yield request


def left_by(at: At) -> str:
    """The label of the `Side` that closed the connection or channel, "" if none did."""
    return str(at.event.record.details.get("by", ""))
