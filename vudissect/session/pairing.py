"""Which request a reply answers: one queue for each channel, following the answer rule of each row."""

from collections import deque
from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

from vudissect.protocol.model import Channel, Row
from vudissect.protocol.unknown import message_name

# Looked up once: a look-up takes as long as pairing an answer with its request.
_MAIN = Channel.MAIN

# Nobody pipelines more than a few dozen requests; a hostile peer could send requests without end.
_MOST_WAITING = 4096

# Queues longer than this are indexed instead of searched.
_SHORT = 32


class Request(NamedTuple):
    """A request with what its answer needs. `owed`: the answer is required, not merely possible. Time in ns.

    `flags` are those of its header. `overtaken`: the frame of the first answer that came before its own although that
    request was sent later; 0 if there was none. `withheld`: its own frame or that of its answer, if the recorder
    withheld one of them. `unsent`: it was injected, and the side that sends such requests knows nothing of it.
    """

    frame: int
    forwarded: int
    channel: Channel
    id: int
    row: Row
    owed: bool
    flags: int
    overtaken: int = 0
    withheld: int = 0
    unsent: bool = False

    @property
    def name(self) -> str:
        """The name in the table, `message 1000` for one that is not in it."""
        return message_name(self.row, self.id)


_NONE_ANSWERED: dict[int, tuple[Request, int]] = {}


class _Numbers:
    """Requests by number, oldest first, and how many of them are owed an answer."""

    __slots__ = ("by_number", "count", "owed")

    def __init__(self, requests: Iterable[Request] = ()) -> None:
        self.by_number: dict[int, deque[Request]] = {}
        self.count = 0
        self.owed = 0
        for request in requests:
            self.add(request)

    def add(self, request: Request) -> None:
        self.by_number.setdefault(request.id, deque()).append(request)
        self.count += 1
        self.owed += request.owed

    def take(self, number: int) -> Request:
        """Remove and return the oldest request with a number."""
        waiting = self.by_number[number]
        request = waiting.popleft()
        if not waiting:
            del self.by_number[number]
        self.count -= 1
        self.owed -= request.owed
        return request


class Pending:
    """The requests of one channel that may still be answered, in the order in which they were sent.

    For each number in the table, `answered` has the last request that was answered with the frame of the
    answer, and `unasked` the frame of the last request that did not ask for an answer.

    However many are pending, each of them is examined a fixed number of times: overtaken requests are kept apart, and
    a long queue has an index by number.
    """

    __slots__ = ("_index", "_overtaken", "_queue", "answered", "unasked")

    def __init__(self) -> None:
        # Most channels of most connections are never used: empty containers are shared, or small, unlike a deque.
        self.answered = _NONE_ANSWERED
        self.unasked: dict[int, int] = {}
        self._queue: list[Request] = []
        # These were all sent before those in the queue.
        self._overtaken: _Numbers | None = None
        # Index of the queue; exists from the first search in a long queue until the first in a short one.
        self._index: _Numbers | None = None

    def ask(self, request: Request) -> None:
        """Note a request that will or may be answered."""
        if len(self._queue) >= _MOST_WAITING:
            self._take(1)
        self._queue.append(request)
        if self._index is not None:
            self._index.add(request)

    def answer(self, number: int, frame: int) -> Request | None:
        """The request that a reply with this number answers: the oldest with its number; None if there is none.

        Answers come in order, so earlier requests whose answer was only possible will not be answered any more.
        """
        queue = self._queue
        if queue and queue[0].id == number and self._overtaken is None and self._index is None:
            request: Request | None = queue.pop(0)
        else:
            request = self._find(number, frame)
        if request is not None and request.row.known:
            if self.answered is _NONE_ANSWERED:
                self.answered = {}
            self.answered[number] = (request, frame)
        return request

    def owed(self) -> tuple[Request, ...]:
        """The requests that are owed an answer and have none yet, oldest first."""
        queued = tuple(request for request in self._queue if request.owed)
        if self._overtaken is None:
            return queued
        overtaken = chain(*self._overtaken.by_number.values())
        return (*sorted(overtaken, key=lambda request: request.frame), *queued)

    @property
    def is_owed(self) -> bool:
        """Whether an answer is owed to any request."""
        if self._overtaken is not None:
            return True
        index = self._long()
        return index.owed > 0 if index is not None else any(request.owed for request in self._queue)

    def oldest(self, number: int) -> Request | None:
        """The oldest request with this number that is owed an answer."""
        if self._overtaken is not None and number in self._overtaken.by_number:
            return self._overtaken.by_number[number][0]
        return next((request for request in self._of(number) if request.owed), None)

    def asked(self, number: int) -> Request | None:
        """The request that a reply with this number would answer."""
        if self._overtaken is not None and number in self._overtaken.by_number:
            return self._overtaken.by_number[number][0]
        return next(iter(self._of(number)), None)

    def withhold(self, number: int, frame: int) -> Request | None:
        """The request that a reply with this number answers, which still waits: the reply was withheld."""
        for place, request in enumerate(self._queue):
            if request.id == number and not request.withheld:
                self._queue[place] = withheld = request._replace(withheld=frame)
                self._index = None
                return withheld
        return None

    def withdraw(self, number: int) -> bool:
        """Forget the withheld request with this number: another one was sent in its place. Whether there was one."""
        for place, request in enumerate(self._queue):
            if request.id == number and request.withheld == request.frame:
                del self._queue[place]
                self._index = None
                return True
        return False

    def _find(self, number: int, frame: int) -> Request | None:
        if self._overtaken is not None and number in self._overtaken.by_number:
            request = self._overtaken.take(number)
            if not self._overtaken.count:
                self._overtaken = None
            return request
        found = next(iter(self._of(number)), None)
        if found is not None:
            *passed, _ = self._take(self._queue.index(found) + 1)
            self._overtake(passed, frame)
        return found

    def _of(self, number: int) -> Iterable[Request]:
        """The requests with a number in the queue."""
        index = self._long()
        if index is not None:
            return index.by_number.get(number, ())
        return (request for request in self._queue if request.id == number)

    def _long(self) -> _Numbers | None:
        """The index, if the queue is too long to be searched."""
        if len(self._queue) <= _SHORT:
            self._index = None
        elif self._index is None:
            self._index = _Numbers(self._queue)
        return self._index

    def _take(self, count: int) -> list[Request]:
        """Remove and return the first requests of the queue."""
        taken = self._queue[:count]
        del self._queue[:count]
        if self._index is not None:
            for request in taken:
                self._index.take(request.id)
        return taken

    def _overtake(self, passed: Iterable[Request], frame: int) -> None:
        """Note that an answer came before those to these requests."""
        for request in passed:
            if request.owed:
                if self._overtaken is None:
                    self._overtaken = _Numbers()
                if self._overtaken.count < _MOST_WAITING:
                    self._overtaken.add(request._replace(overtaken=frame))


class Pairing:
    """The pending requests on the channels of one connection.

    `channels` has them by channel; `answered` is the frame of the latest request on the main one that has its answer.
    """

    __slots__ = ("answered", "channels")

    def __init__(self) -> None:
        self.channels = [Pending() for _ in Channel]
        self.answered = 0

    def __getitem__(self, channel: Channel) -> Pending:
        return self.channels[channel]

    def answer(self, channel: Channel, number: int, frame: int) -> Request | None:
        """The request that a reply answers; None if there is none."""
        request = self.channels[channel].answer(number, frame)
        if request is not None and channel is _MAIN:
            self.answered = request.frame
        return request

    def owed(self) -> tuple[Request, ...]:
        """The requests of all channels that are owed an answer, channel by channel, oldest first."""
        return tuple(request for waiting in self.channels for request in waiting.owed())

    def close(self, channel: Channel) -> tuple[Request, ...]:
        """Forget the pending requests of a channel; return those that will never get the answer that they are owed."""
        owed = self.channels[channel].owed()
        self.channels[channel] = Pending()
        return owed

    def interrupt(self) -> None:
        """Messages were missed: pending requests may have been answered."""
        self.channels = [Pending() for _ in Channel]
