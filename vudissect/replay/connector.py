"""How the peer of a replay is reached: by connecting to it, by listening for it, or in this process."""

import select
import socket
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Protocol, Self

from vudissect.compare.outcome import Trouble
from vudissect.host.address import Address, Role, parse_address
from vudissect.host.endpoint import Listener, dial
from vudissect.replay.stream import LONGEST_WAIT, Answer, MemoryStream, RawMessage, SocketStream, Stream, StreamError

_TRY_EVERY = 0.005


class Connector(Protocol):
    """Connects to the peer. A deadline is a time on the monotonic clock, in seconds."""

    def connect(self, deadline: float) -> Stream:
        """A new connection; `StreamError` if there is none in time, `AddressError` if there will never be one."""


class Dial:
    """Connects to a peer that listens, or soon will."""

    def __init__(self, address: Address) -> None:
        self._address = address

    @classmethod
    def at(cls, address: str) -> Self:
        """A path, `@NAME` or `fd:NUMBER`; `AddressError`."""
        return cls(parse_address(Role.CONNECT, address))

    def connect(self, deadline: float) -> Stream:
        """See `Connector`."""
        while (connected := dial(self._address)) is None:
            if time.monotonic() >= deadline:
                raise StreamError(Trouble.UNREACHED, f"nobody listens at {self._address}")
            time.sleep(_TRY_EVERY)
        return SocketStream(connected)


class Listen:
    """Listens for a peer that connects. The socket exists while the block runs, from its first moment."""

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

    def connect(self, deadline: float) -> Stream:
        """See `Connector`."""
        poll = select.poll()
        poll.register(self._listener.socket, select.POLLIN)
        while (connected := self._listener.accept()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise StreamError(Trouble.UNREACHED, f"nobody connected to {self._address}")
            poll.poll(min(left, LONGEST_WAIT) * 1000)
        return SocketStream(connected)


class Connected:
    """The peer is at the other end of an open socket; there is only one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket: socket.socket | None = sock

    def connect(self, deadline: float) -> Stream:
        """See `Connector`."""
        if self._socket is None:
            raise StreamError(Trouble.UNREACHED, "there is only one connection to this peer")
        stream, self._socket = SocketStream(self._socket), None
        return stream


class InMemory:
    """The other side is a function in this process, called with each message; `first` is sent before any call.

    A message without data closes the connection.
    """

    def __init__(self, answer: Answer, first: Iterable[RawMessage] = ()) -> None:
        self._answer = answer
        self._first = tuple(first)

    def connect(self, deadline: float) -> Stream:
        """See `Connector`."""
        return MemoryStream(self._answer, self._first)
