"""Which request a reply answers: one queue for each channel, by the answer rule of the message's row."""

from collections import deque
from typing import NamedTuple

from vudissect.spec.model import Channel, Message

# Nobody pipelines more than a few dozen requests; a hostile peer could ask for ever.
_MOST_WAITING = 4096


class Request(NamedTuple):
    """A request as its answer needs it. `owed`: the answer is due by rule, not merely possible. Time in ns.

    `flags` are those of its header. `overtaken`: the frame of the first answer that came before its own though it was
    asked for later; 0 if there was none.
    """

    frame: int
    forwarded: int
    channel: Channel
    id: int
    row: Message | None
    owed: bool
    flags: int
    overtaken: int = 0


class Waiting:
    """The requests of one channel that may still be answered, in the order in which they were sent.

    Of each number that the table knows, `answered` has the last request that was answered with the frame of the
    answer, and `unasked` the frame of the last request that asked for none.
    """

    def __init__(self) -> None:
        self._queue: deque[Request] = deque()
        self.answered: dict[int, tuple[Request, int]] = {}
        self.unasked: dict[int, int] = {}

    def ask(self, request: Request) -> None:
        """Note a request that will or may be answered."""
        if len(self._queue) >= _MOST_WAITING:
            self._queue.popleft()
        self._queue.append(request)

    def answer(self, number: int, frame: int) -> Request | None:
        """The request that a reply of this number answers: the oldest of its number; None where there is none.

        Answers come in order, so requests before it that merely could have been answered will not be.
        """
        queue = self._queue
        request = queue.popleft() if queue and queue[0].id == number else self._overtaking(number, frame)
        if request is not None and request.row is not None:
            self.answered[number] = (request, frame)
        return request

    def _overtaking(self, number: int, frame: int) -> Request | None:
        queue = self._queue
        for position, request in enumerate(queue):
            if request.id == number:
                passed = [queue.popleft() for _ in range(position)]
                queue.popleft()
                queue.extendleft(
                    other if other.overtaken else other._replace(overtaken=frame)
                    for other in reversed(passed)
                    if other.owed
                )
                return request
        return None

    def owed(self) -> tuple[Request, ...]:
        """The requests that are owed an answer and have none yet, oldest first."""
        return tuple(request for request in self._queue if request.owed)
