"""A session as exchanges: each request with its answer, what the device's own traffic is, and polls put together.

Where requests are sent without waiting, it depends on chance where their answers come between them. Requests of one
channel, and the answer to each, are the same in every run.
"""

from collections import Counter
from typing import NamedTuple

from vudissect.capture.record import Mark
from vudissect.protocol.model import Answer, Channel, Field, Meaning, Row
from vudissect.protocol.purpose import Purpose
from vudissect.session.event import Event, MessageEvent
from vudissect.wire.codec import WireMessage

# How many there are depends on what the guest does, or on a timer.
_TRAFFIC = frozenset({Purpose.ANNOUNCE, Purpose.UPDATE_IOTLB, Purpose.KICK_RING, Purpose.CALL_RING, Purpose.FAIL_RING})


class Key(NamedTuple):
    """What makes two messages the same step: channel, name, whether it is an answer to nothing, and the ring."""

    channel: Channel
    name: str
    stray: bool
    ring: int | None


class Exchange(NamedTuple):
    """A request and its answer, if there is one. `times`: so many equal polls in a row."""

    key: Key
    request: MessageEvent
    answer: MessageEvent | None = None
    times: int = 1


class Exchanges:
    """The exchanges of one connection, event by event; those of the device's own traffic are only counted."""

    def __init__(self, first: Event) -> None:
        self.first = first
        self.last = first
        self.traffic: Counter[str] = Counter()
        self._steps: dict[Channel, list[Exchange]] = {channel: [] for channel in Channel}
        self._pending: dict[int, tuple[Channel, int]] = {}
        # Requests that the receiver never got: they count if somebody answers in its place.
        self._withheld: dict[int, MessageEvent] = {}

    def add(self, event: Event) -> bool:
        """Enter the next event of the connection; whether it is kept as an exchange of its own."""
        self.last = event
        if event.message is None:
            return False
        message, channel, marks = event.message, event.record.channel, event.record.marks
        if marks and marks & Mark.WITHHELD:
            if not event.awaits or is_traffic(message.row):
                return False
            self._withheld[event.record.frame] = event
            return True
        if is_traffic(message.row):
            self.traffic[message.name] += not message.reply
            return False
        if event.request is not None and event.request.frame in self._pending:
            channel, place = self._pending.pop(event.request.frame)
            self._steps[channel][place] = self._steps[channel][place]._replace(answer=event)
            return False
        if event.request is not None and event.request.frame in self._withheld:
            request = self._withheld.pop(event.request.frame)
            key = Key(channel, message.name, False, ring_of(request.message))
            self._steps[channel].append(Exchange(key, request, event))
            return True
        if message.reply and not event.after.whole:
            # Its request was not recorded.
            return False
        self._pending[event.record.frame] = channel, len(self._steps[channel])
        key = Key(channel, message.name, message.reply, ring_of(message))
        self._steps[channel].append(Exchange(key, event))
        return True

    def steps(self, channel: Channel) -> list[Exchange]:
        """Those of a channel, with polls put together."""
        return _without_polls(self._steps[channel])


def is_traffic(row: Row) -> bool:
    """Whether the message belongs to the work of the device, and is not a step of its configuration."""
    if row.channel is Channel.GPU:
        return row.purpose is Purpose.NONE and row.answer is not Answer.ALWAYS
    return row.purpose in _TRAFFIC


def ring_of(message: WireMessage) -> int | None:
    """The ring that a message names, if it names one."""
    for field, value in zip(message.layout.fields, message.values, strict=False):
        ring = _ring_in(field, value)
        if ring is not None:
            return ring
    return None


def _ring_in(field: Field, value: int) -> int | None:
    if field.meaning is Meaning.RING:
        return value
    for part in field.parts:
        if part.meaning is Meaning.RING:
            return (value & part.mask) >> part.low
    return None


def _without_polls(steps: list[Exchange]) -> list[Exchange]:
    """The steps with equal questions in a row put together: the last answer counts."""
    kept: list[Exchange] = []
    for step in steps:
        if kept and _asks_again(kept[-1], step):
            kept[-1] = step._replace(times=kept[-1].times + 1)
        else:
            kept.append(step)
    return kept


def _asks_again(before: Exchange, after: Exchange) -> bool:
    ours, theirs = before.request.message, after.request.message
    return (
        before.key == after.key
        and ours.values == theirs.values
        and ours.row.answer is Answer.ALWAYS
        and after.request.before is after.request.after
    )
