"""Limits on the cost of a replay, whatever the other side does: total time, and messages not in the recording."""

import time
from collections import Counter

from vudissect.protocol.model import Channel

# The default for a whole replay (s): this, plus the timeout for one answer, plus this for each message.
_AT_LEAST = 60.0
_A_MESSAGE = 0.01

# The longest wait (s) for another message after one that did not come; each further one halves it, down to this.
_SECOND_WAIT = 1.0
_SHORTEST_WAIT = 0.01
_MOST_HALVINGS = 10

# Messages that are not in the recording.
MOST_UNMATCHED = 1000


def default_deadline(messages: int, timeout: float, recorded: float, speed: float) -> float:
    """How long a replay may take (s); `recorded` is the duration of the recording, which counts if `speed` is set."""
    return _AT_LEAST + timeout + _A_MESSAGE * messages + (recorded / speed if speed else 0.0)


class Limits:
    """The remaining time and number of unmatched messages; `seconds` is the total time."""

    def __init__(self, seconds: float, timeout: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._timeout = timeout
        self._unmatched = 0

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._end

    def within(self, seconds: float | None = None) -> float:
        """The time on the monotonic clock until which to wait for one thing: the timeout of an answer, or shorter."""
        return min(time.monotonic() + (self._timeout if seconds is None else seconds), self._end)

    def too_many(self) -> bool:
        """Count one more unmatched message; return whether that is one too many."""
        self._unmatched += 1
        return self._unmatched > MOST_UNMATCHED


Place = tuple[int, Channel]


class Patience:
    """How long to wait for each message (s), so that a peer that has stopped sending some costs one time-out.

    After a message that did not come, the wait is short until something comes on that channel, and for messages with
    the same number until one of them comes.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._missed: Counter[Place | tuple[Place, bytes]] = Counter()

    def wait(self, place: Place, number: bytes = b"") -> float:
        """How long to wait for a message with this number (as on the wire), or for the end of the connection."""
        missed = max(self._missed[place], self._missed[place, number])
        if not missed:
            return self._timeout
        wait = min(_SECOND_WAIT, self._timeout / 10) / (1 << min(missed - 1, _MOST_HALVINGS))
        return max(wait, min(_SHORTEST_WAIT, self._timeout))

    def missed(self, place: Place, number: bytes) -> None:
        """Note that a message did not come in time."""
        self._missed[place] += 1
        self._missed[place, number] += 1

    def came(self, place: Place, number: bytes) -> None:
        """Note that a message came."""
        self._missed.pop(place, None)
        self._missed.pop((place, number), None)
