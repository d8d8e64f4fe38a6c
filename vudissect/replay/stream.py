"""A stream of whole messages to and from the other side, with descriptors. No call waits beyond a deadline."""

import array
import errno
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from typing import NamedTuple, Protocol

from vudissect.compare.outcome import Trouble
from vudissect.host.peer import Peer, peer_of
from vudissect.wire.header import HEADER_SIZE, ByteOrder, struct_of

# The most that one call can pass, and the most that are accepted with the pieces of one message.
_MOST_DESCRIPTORS = 253
_MOST_OF_MESSAGE = 1024
# A header that claims more is garbage, and not worth the memory. No message is nearly as long, except for pictures.
_MOST_PAYLOAD = 1 << 24
MOST_PIXELS = 1 << 28
_CHUNK = 1 << 20
# The longest wait of one system call (s).
LONGEST_WAIT = 1_000_000
# For a peer in memory: messages that may wait to be received.
_MOST_PENDING = 4096

# What the kernel reports if the other side is gone.
_GONE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ECONNREFUSED})

_SIZES = {order: struct_of("8xI", order).unpack_from for order in ("little", "big")}


class RawMessage(NamedTuple):
    """A message as received. The receiver owns the descriptors; `lost`: the kernel dropped some."""

    data: bytes
    descriptors: tuple[int, ...] = ()
    lost: bool = False


class StreamError(Exception):
    """No message could be passed: one line with the reason, and the part of a message that had arrived."""

    def __init__(self, trouble: Trouble, text: str, data: bytes = b"") -> None:
        super().__init__(text)
        self.trouble = trouble
        self.data = data


class Stream(Protocol):
    """What a player sends and receives with. A deadline is a time on the monotonic clock, in seconds."""

    def send(self, data: bytes, descriptors: Sequence[int], deadline: float) -> None:
        """Send a message; `StreamError` if it cannot be sent in time."""

    def receive(self, deadline: float, order: ByteOrder) -> RawMessage:
        """The next message; `StreamError` if none comes in time."""

    def shut_down(self) -> None:
        """Send nothing more, before closing; what the other side still sends can be received."""

    def close(self) -> None:
        """Hang up."""

    @property
    def peer(self) -> Peer | None:
        """The peer, as known to the kernel."""


class SocketStream:
    """Messages over a connected stream socket, which it owns; `most` is the longest payload that is accepted."""

    def __init__(self, sock: socket.socket, most: int = _MOST_PAYLOAD) -> None:
        self.socket = sock
        self._most = most

    def send(self, data: bytes, descriptors: Sequence[int], deadline: float) -> None:
        """See `Stream`."""
        if len(descriptors) > _MOST_DESCRIPTORS:
            text = f"{len(descriptors)} descriptors cannot be passed with one message, {_MOST_DESCRIPTORS} can"
            raise StreamError(Trouble.OTHER, text)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        try:
            self._set_timeout(deadline)
            sent = self.socket.sendmsg([data], rights)
            while sent < len(data):
                self._set_timeout(deadline)
                sent += self.socket.send(data[sent : sent + _CHUNK])
        except TimeoutError:
            raise StreamError(Trouble.SILENCE, "the other side accepted nothing more in time") from None
        except OSError as error:
            if error.errno in _GONE:
                raise StreamError(Trouble.CLOSED, f"the other side has closed ({error.strerror})") from None
            raise StreamError(Trouble.OTHER, f"the message cannot be sent: {error.strerror}") from None

    def receive(self, deadline: float, order: ByteOrder) -> RawMessage:
        """See `Stream`."""
        header = self._read(HEADER_SIZE, deadline, RawMessage(b""))
        (size,) = _SIZES[order](header.data)
        if size > self._most:
            self._give_up(header.descriptors)
            raise StreamError(Trouble.OTHER, f"the other side announced {size} bytes of payload", header.data)
        return self._read(HEADER_SIZE + size, deadline, header) if size else header

    def shut_down(self) -> None:
        """See `Stream`."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """See `Stream`."""
        self.socket.close()

    @property
    def peer(self) -> Peer | None:
        """See `Stream`."""
        return peer_of(self.socket)

    def _read(self, size: int, deadline: float, begun: RawMessage) -> RawMessage:
        """Read until a message that has begun is exactly `size` bytes long."""
        data, descriptors, lost = bytearray(begun.data), begun.descriptors, begun.lost
        try:
            while len(data) < size:
                self._set_timeout(deadline)
                part, rights, flags, _ = self.socket.recvmsg(
                    min(size - len(data), _CHUNK), socket.CMSG_SPACE(4 * _MOST_DESCRIPTORS), socket.MSG_CMSG_CLOEXEC
                )
                for _, _, numbers in rights:
                    descriptors += tuple(array.array("i", numbers[: len(numbers) // 4 * 4]))
                if len(descriptors) > _MOST_OF_MESSAGE:
                    self._give_up(descriptors)
                    text = f"the other side sent more than {_MOST_OF_MESSAGE} descriptors with one message"
                    raise StreamError(Trouble.OTHER, text, bytes(data))
                lost = lost or bool(flags & socket.MSG_CTRUNC)
                if not part:
                    raise ConnectionResetError
                data += part
        except TimeoutError:
            self._give_up(descriptors)
            raise StreamError(Trouble.SILENCE, self._partly("sent nothing in time", data, size), bytes(data)) from None
        except OSError:
            self._give_up(descriptors)
            raise StreamError(Trouble.CLOSED, self._partly("closed the connection", data, size), bytes(data)) from None
        return RawMessage(bytes(data), descriptors, lost)

    def _set_timeout(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.socket.settimeout(min(left, LONGEST_WAIT))

    @staticmethod
    def _partly(what: str, data: bytearray, size: int) -> str:
        return f"the other side {what}" + (f" after {len(data)} of {size} bytes of a message" if data else "")

    @staticmethod
    def _give_up(descriptors: Iterable[int]) -> None:
        for descriptor in descriptors:
            os.close(descriptor)


Answer = Callable[[RawMessage], Iterable[RawMessage]]


class MemoryStream:
    """Messages to a peer that is a function in this process: it is called with each message and returns what it sends.

    No more is kept of what it sends than a socket would hold. A message without data closes the connection.
    """

    def __init__(self, answer: Answer, first: Iterable[RawMessage]) -> None:
        self._answer = answer
        self._pending = deque(islice(first, _MOST_PENDING))

    def send(self, data: bytes, descriptors: Sequence[int], deadline: float) -> None:
        """See `Stream`. The peer borrows the descriptors: the sender closes them."""
        sent = self._answer(RawMessage(data, tuple(descriptors)))
        self._pending.extend(islice(sent, _MOST_PENDING - len(self._pending)))

    def receive(self, deadline: float, order: ByteOrder) -> RawMessage:
        """See `Stream`. Never waits: a peer that has nothing to send now would not send anything later."""
        if not self._pending:
            raise StreamError(Trouble.SILENCE, "the other side sent nothing")
        if not self._pending[0].data:
            raise StreamError(Trouble.CLOSED, "the other side closed the connection")
        return self._pending.popleft()

    def shut_down(self) -> None:
        """See `Stream`."""

    def close(self) -> None:
        """See `Stream`."""

    @property
    def peer(self) -> Peer | None:
        """See `Stream`."""
        return None
