"""How findings name messages, times, frames and numbers of things."""

from collections.abc import Sequence

from vudissect.session.event import MessageEvent
from vudissect.session.pairing import Request
from vudissect.wire.fields import Fields

SECOND = 1_000_000_000

# More of them in one sentence are only counted.
_MOST_LISTED = 6


def request_text(request: Request) -> str:
    """A request by name and frame: `GET_FEATURES (#2)`."""
    return f"{request.name} (#{request.frame})"


def event_name(event: MessageEvent) -> str:
    """The name of a message."""
    return event.message.name


def fields_of(event: MessageEvent) -> Fields:
    """The payload of a message by field name; empty where it fits no layout, or was too long to be remembered."""
    # The values of a long message are not remembered.
    return event.fields if event.message.values else {}


def event_text(event: MessageEvent) -> str:
    """A message by name, ring and frame, and what it carries: `SET_VRING_KICK ring 0 with evt#3 (#22)`."""
    fields = fields_of(event)
    ring = f" ring {fields['index']}" if isinstance(fields.get("index"), int) else ""
    carried = f" with {', '.join(named.name for named in event.descriptors)}" if event.descriptors else ""
    nothing = " nofd" if fields.get("nofd") else ""
    return f"{event_name(event)}{ring}{carried}{nothing} (#{event.record.frame})"


def frames_text(frames: Sequence[int]) -> str:
    """One frame or several: `#4, #5 and #9`; of many only the first."""
    texts = [f"#{frame}" for frame in frames]
    if len(texts) > _MOST_LISTED:
        texts[_MOST_LISTED - 1 :] = [f"{len(texts) - _MOST_LISTED + 1} more"]
    *before, last = texts
    return f"{', '.join(before)} and {last}" if before else last


def count_text(number: int, noun: str) -> str:
    """A number of things: `1 queue`, `2 queues`."""
    return f"{number} {noun}{'s' * (number != 1)}"


def time_text(nanoseconds: int) -> str:
    """A duration or a time in the capture: `12 ms`, `3.2 s`, `180 s`."""
    if nanoseconds < SECOND:
        return f"{nanoseconds / 1e6:.3g} ms"
    return f"{nanoseconds / 1e9:.1f} s" if nanoseconds < 100 * SECOND else f"{nanoseconds / 1e9:.0f} s"
