"""How the two sides come together: calling a peer, waiting for one, or having one in this process."""

import select
import socket
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Protocol, Self

from vudissect.compare.outcome import Trouble
from vudissect.host.address import Address, Role, parse_address
from vudissect.host.endpoint import Listener, dial
from vudissect.replay.line import LONGEST_WAIT, Answer, Line, LineError, MemoryLine, Parcel, SocketLine

_TRY_EVERY = 0.005


class Meeting(Protocol):
    """Where the other side is. A deadline is a time on the monotonic clock, in seconds."""

    def meet(self, deadline: float) -> Line:
        """A new connection; `LineError` where none comes about in time, `AddressError` where none ever will."""


class Calling:
    """The other side listens, or soon will."""

    def __init__(self, address: Address) -> None:
        self._address = address

    @classmethod
    def at(cls, address: str) -> Self:
        """A path, `@NAME` or `fd:NUMBER`; `AddressError`."""
        return cls(parse_address(Role.CONNECT, address))

    def meet(self, deadline: float) -> Line:
        """See `Meeting`."""
        while (connected := dial(self._address)) is None:
            if time.monotonic() >= deadline:
                raise LineError(Trouble.UNREACHED, f"nobody listens at {self._address}")
            time.sleep(_TRY_EVERY)
        return SocketLine(connected)


class Waiting:
    """The other side calls. The socket is there as long as the block runs, from its first moment."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._listener = Listener(address)

    @classmethod
    def at(cls, address: str) -> Self:
        """A path, `@NAME` or `fd:NUMBER`; `AddressError`."""
        return cls(parse_address(Role.LISTEN, address))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def meet(self, deadline: float) -> Line:
        """See `Meeting`."""
        poll = select.poll()
        poll.register(self._listener.socket, select.POLLIN)
        while (connected := self._listener.accept()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise LineError(Trouble.UNREACHED, f"nobody connected to {self._address}")
            poll.poll(min(left, LONGEST_WAIT) * 1000)
        return SocketLine(connected)


class Connected:
    """The other side is at the other end of a socket that is open already; there is one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket: socket.socket | None = sock

    def meet(self, deadline: float) -> Line:
        """See `Meeting`."""
        if self._socket is None:
            raise LineError(Trouble.UNREACHED, "there is but one connection to this peer")
        line, self._socket = SocketLine(self._socket), None
        return line


class InMemory:
    """The other side is a function in this process, called with each message; `first` is what it says unasked.

    A parcel without data hangs up.
    """

    def __init__(self, answer: Answer, first: Iterable[Parcel] = ()) -> None:
        self._answer = answer
        self._first = tuple(first)

    def meet(self, deadline: float) -> Line:
        """See `Meeting`."""
        return MemoryLine(self._answer, self._first)
