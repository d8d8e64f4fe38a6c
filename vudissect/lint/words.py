"""How findings name messages, times and frames."""

from collections.abc import Sequence

from vudissect.session.event import Event
from vudissect.session.pairing import Request

SECOND = 1_000_000_000

# More of them in one sentence than this are counted.
_MOST_LISTED = 6


def request_text(request: Request) -> str:
    """A request by name and frame: `GET_FEATURES (#2)`."""
    return f"{request.row.name if request.row is not None else f'message {request.id}'} (#{request.frame})"


def event_name(event: Event) -> str:
    """The name of a message."""
    assert event.message is not None
    return event.message.name


def event_text(event: Event) -> str:
    """A message by name and frame, and what it carries: `SET_VRING_KICK with evt#3 (#22)`."""
    carried = f" with {', '.join(named.name for named in event.descriptors)}" if event.descriptors else ""
    return f"{event_name(event)}{carried} (#{event.record.frame})"


def frames_text(frames: Sequence[int]) -> str:
    """One frame or several: `#4, #5 and #9`; of many only the first."""
    texts = [f"#{frame}" for frame in frames]
    if len(texts) > _MOST_LISTED:
        texts[_MOST_LISTED - 1 :] = [f"{len(texts) - _MOST_LISTED + 1} more"]
    *before, last = texts
    return f"{', '.join(before)} and {last}" if before else last


def time_text(nanoseconds: int) -> str:
    """A duration or a time in the capture: `12 ms`, `3.2 s`, `180 s`."""
    if nanoseconds < SECOND:
        return f"{nanoseconds / 1e6:.3g} ms"
    return f"{nanoseconds / 1e9:.1f} s" if nanoseconds < 100 * SECOND else f"{nanoseconds / 1e9:.0f} s"
