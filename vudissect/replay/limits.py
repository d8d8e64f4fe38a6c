"""What a replay may cost, whatever the other side does: time in all, and what comes that the recording has not."""

import time

# For a replay as a whole unless it is given (s): so long, as long as one answer may take, and this for each message.
_AT_LEAST = 60.0
_A_MESSAGE = 0.01

# Of messages that are not in the recording.
MOST_UNMATCHED = 1000


def default_deadline(messages: int, timeout: float, recorded: float, speed: float) -> float:
    """How long a replay may take (s); `recorded` is how long it took then, which counts where it is played in time."""
    return _AT_LEAST + timeout + _A_MESSAGE * messages + (recorded / speed if speed else 0.0)


class Limits:
    """The time and the number of unmatched messages that are left; `seconds` is the time that there was in all."""

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
        """The time on the monotonic clock until which to wait for one thing: as long as for an answer, or shorter."""
        return min(time.monotonic() + (self._timeout if seconds is None else seconds), self._end)

    def too_many(self) -> bool:
        """Count one more unmatched message; whether that is one too many."""
        self._unmatched += 1
        return self._unmatched > MOST_UNMATCHED
