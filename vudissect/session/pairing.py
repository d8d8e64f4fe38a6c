"""Which request a reply answers: one queue for each channel, by the answer rule of the message's row."""

from collections import deque
from typing import NamedTuple

from vudissect.spec.model import Channel, Message

# Nobody pipelines more than a few dozen requests; a hostile peer could ask for ever.
_MOST_WAITING = 4096


class Request(NamedTuple):
    """A request as its answer needs it. `owed`: the answer is due by rule, not merely possible. Time in ns."""

    frame: int
    forwarded: int
    channel: Channel
    id: int
    row: Message | None
    owed: bool


class Waiting:
    """The requests of one channel that may still be answered, in the order in which they were sent."""

    def __init__(self) -> None:
        self._queue: deque[Request] = deque()

    def ask(self, request: Request) -> None:
        """Note a request that will or may be answered."""
        if len(self._queue) >= _MOST_WAITING:
            self._queue.popleft()
        self._queue.append(request)

    def answer(self, number: int) -> Request | None:
        """The request that a reply of this number answers: the oldest of its number; None where there is none.

        Answers come in order, so requests before it that merely could have been answered will not be.
        """
        queue = self._queue
        if queue and queue[0].id == number:
            return queue.popleft()
        for position, request in enumerate(queue):
            if request.id == number:
                skipped = [queue.popleft() for _ in range(position)]
                queue.popleft()
                queue.extendleft(reversed([request for request in skipped if request.owed]))
                return request
        return None

    def owed(self) -> tuple[Request, ...]:
        """The requests that are owed an answer and have none yet, oldest first."""
        return tuple(request for request in self._queue if request.owed)
