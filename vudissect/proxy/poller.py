"""The event loop: readable sockets, other events on them, and timers."""

import heapq
import select
import socket
from collections.abc import Callable
from itertools import count
from time import monotonic

READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT
# Turns in a row without a look at the clock.
_MOST_TURNS = 256

HUNG_UP = select.EPOLLHUP | select.EPOLLERR


class Poller:
    """An epoll with the callbacks for its events, and timers.

    An exception in a callback does not end the turn: `failed` receives it with the descriptor of the event, or None.
    """

    def __init__(self, failed: Callable[[int | None, Exception], None]) -> None:
        self._failed = failed
        self._epoll = select.epoll()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._retired: list[socket.socket] = []
        self._watched: dict[int, int] = {}
        self._on_readable: dict[int, Callable[[], object]] = {}
        self._on_event: dict[int, Callable[[int], object]] = {}
        self._poll = self._epoll.poll

    def watch(self, fd: int, events: int, on_readable: Callable[[], object], on_event: Callable[[int], None]) -> None:
        """Begin to watch a descriptor; a hang-up is always reported, even when `events` is 0.

        `on_readable` is called if the descriptor is readable and nothing else, `on_event` with all events otherwise.
        """
        self._on_readable[fd] = on_readable
        self._on_event[fd] = on_event
        self.change(fd, events)

    def change(self, fd: int, events: int | None) -> None:
        """Watch for other events; None ignores the descriptor until the next change."""
        before = self._watched.get(fd)
        if events == before:
            return
        if events is None:
            self._epoll.unregister(fd)
            del self._watched[fd]
        elif before is None:
            self._epoll.register(fd, events)
            self._watched[fd] = events
        else:
            self._epoll.modify(fd, events)
            self._watched[fd] = events

    def forget(self, fd: int) -> None:
        """Stop watching."""
        self.change(fd, None)
        self._on_readable.pop(fd, None)
        self._on_event.pop(fd, None)

    def retire(self, sock: socket.socket) -> None:
        """Stop watching a socket, and close it at the end of this turn.

        Not at once: an event of this turn may still refer to its descriptor, which must not be reused until then.
        """
        self.forget(sock.fileno())
        self._retired.append(sock)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` once, about `seconds` from now."""
        heapq.heappush(self._timers, (monotonic() + seconds, next(self._order), action))

    def run(self, idle_seconds: float | None) -> bool:
        """One turn: wait for `idle_seconds` at most, and make the due callbacks. False if there was no event."""
        timeout = idle_seconds
        if self._timers:
            until_next = max(0.0, self._timers[0][0] - monotonic())
            timeout = until_next if timeout is None else min(timeout, until_next)
        events = self._poll(timeout)
        self._handle(events)
        if self._timers:
            self._run_timers()
        if self._retired:
            self.close_retired()
        return bool(events)

    def run_on(self, may_go_on: Callable[[], bool]) -> bool:
        """Turns without waiting, as long as there are events and `may_go_on` allows it. False if there was no event.

        Nothing else is done between them: under load, or if all share one processor, this is most of the cost of a
        relay apart from its system calls.
        """
        poll, handle = self._poll, self._handle
        for _ in range(_MOST_TURNS):
            if self._timers:
                return self.run(0.0)
            events = poll(0.0)
            if not events:
                return False
            handle(events)
            if self._retired:
                self.close_retired()
            if not may_go_on():
                break
        return True

    def close_retired(self) -> None:
        """Close the sockets that were retired."""
        for sock in self._retired:
            sock.close()
        self._retired.clear()

    def _handle(self, events: list[tuple[int, int]]) -> None:
        on_readable = self._on_readable
        for fd, what in events:
            try:
                if what == READABLE:
                    call = on_readable.get(fd)
                    if call is not None:
                        call()
                elif fd in self._on_event:
                    self._on_event[fd](what)
            except Exception as error:
                self._failed(fd, error)

    def _run_timers(self) -> None:
        while self._timers and self._timers[0][0] <= monotonic():
            try:
                heapq.heappop(self._timers)[2]()
            except Exception as error:
                self._failed(None, error)

    def close(self) -> None:
        """Release the epoll and the retired sockets."""
        self.close_retired()
        self._epoll.close()
