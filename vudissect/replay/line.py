"""One channel to the other side: whole messages out and in, with descriptors. Nobody waits beyond a deadline."""

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

# The most that one call can pass, and the most that are taken with the pieces of one message.
_MOST_DESCRIPTORS = 253
_MOST_OF_MESSAGE = 1024
# A header that claims more is garbage, and not worth the memory. No message is nearly as long but for pictures.
_MOST_PAYLOAD = 1 << 24
MOST_PIXELS = 1 << 28
_CHUNK = 1 << 20
# The most that a system call takes (s).
LONGEST_WAIT = 1_000_000
# Of a peer in memory: messages that it may have said before anybody listens.
_MOST_SAID = 4096

# What the kernel says when the other side is gone.
_GONE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ECONNREFUSED})

_SIZES = {order: struct_of("8xI", order).unpack_from for order in ("little", "big")}


class Parcel(NamedTuple):
    """A message as it came. The descriptors belong to who receives it; `lost`: the kernel dropped some."""

    data: bytes
    descriptors: tuple[int, ...] = ()
    lost: bool = False


class LineError(Exception):
    """No message could be passed: one line that says why, and what of a message had come by then."""

    def __init__(self, trouble: Trouble, text: str, data: bytes = b"") -> None:
        super().__init__(text)
        self.trouble = trouble
        self.data = data


class Line(Protocol):
    """What a player speaks through. A deadline is a time on the monotonic clock, in seconds."""

    def send(self, data: bytes, descriptors: Sequence[int], deadline: float) -> None:
        """Pass a message; `LineError` where it cannot be passed in time."""

    def receive(self, deadline: float, order: ByteOrder) -> Parcel:
        """The next message; `LineError` where none comes in time."""

    def fall_silent(self) -> None:
        """Say no more, as one who leaves does; what the other side still has to say can be received."""

    def close(self) -> None:
        """Hang up."""

    @property
    def peer(self) -> Peer | None:
        """Who is there, as far as the kernel knows."""


class SocketLine:
    """A line over a connected stream socket, which it owns; `most` is the longest payload that is received."""

    def __init__(self, sock: socket.socket, most: int = _MOST_PAYLOAD) -> None:
        self.socket = sock
        self._most = most

    def send(self, data: bytes, descriptors: Sequence[int], deadline: float) -> None:
        """See `Line`."""
        if len(descriptors) > _MOST_DESCRIPTORS:
            text = f"{len(descriptors)} descriptors cannot be passed with one message, {_MOST_DESCRIPTORS} can"
            raise LineError(Trouble.OTHER, text)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        try:
            self._patience(deadline)
            sent = self.socket.sendmsg([data], rights)
            while sent < len(data):
                self._patience(deadline)
                sent += self.socket.send(data[sent : sent + _CHUNK])
        except TimeoutError:
            raise LineError(Trouble.SILENCE, "the other side took nothing more in time") from None
        except OSError as error:
            if error.errno in _GONE:
                raise LineError(Trouble.CLOSED, f"the other side has closed ({error.strerror})") from None
            raise LineError(Trouble.OTHER, f"the message cannot be sent: {error.strerror}") from None

    def receive(self, deadline: float, order: ByteOrder) -> Parcel:
        """See `Line`."""
        header = self._read(HEADER_SIZE, deadline, Parcel(b""))
        (size,) = _SIZES[order](header.data)
        if size > self._most:
            self._give_up(header.descriptors)
            raise LineError(Trouble.OTHER, f"the other side announced {size} bytes of payload", header.data)
        return self._read(HEADER_SIZE + size, deadline, header) if size else header

    def fall_silent(self) -> None:
        """See `Line`."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """See `Line`."""
        self.socket.close()

    @property
    def peer(self) -> Peer | None:
        """See `Line`."""
        return peer_of(self.socket)

    def _read(self, size: int, deadline: float, begun: Parcel) -> Parcel:
        """Read on until a message that has begun is `size` bytes long, and not a byte further."""
        data, descriptors, lost = bytearray(begun.data), begun.descriptors, begun.lost
        try:
            while len(data) < size:
                self._patience(deadline)
                part, rights, flags, _ = self.socket.recvmsg(
                    min(size - len(data), _CHUNK), socket.CMSG_SPACE(4 * _MOST_DESCRIPTORS), socket.MSG_CMSG_CLOEXEC
                )
                for _, _, numbers in rights:
                    descriptors += tuple(array.array("i", numbers[: len(numbers) // 4 * 4]))
                if len(descriptors) > _MOST_OF_MESSAGE:
                    self._give_up(descriptors)
                    text = f"the other side sent more than {_MOST_OF_MESSAGE} descriptors with one message"
                    raise LineError(Trouble.OTHER, text, bytes(data))
                lost = lost or bool(flags & socket.MSG_CTRUNC)
                if not part:
                    raise ConnectionResetError
                data += part
        except TimeoutError:
            self._give_up(descriptors)
            raise LineError(Trouble.SILENCE, self._partly("said nothing in time", data, size), bytes(data)) from None
        except OSError:
            self._give_up(descriptors)
            raise LineError(Trouble.CLOSED, self._partly("closed the connection", data, size), bytes(data)) from None
        return Parcel(bytes(data), descriptors, lost)

    def _patience(self, deadline: float) -> None:
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


Answer = Callable[[Parcel], Iterable[Parcel]]


class MemoryLine:
    """A line to a peer that is a function in this process: it is given each message, and returns what it says then.

    Of what it says no more is kept than a socket would hold. A parcel without data hangs up.
    """

    def __init__(self, answer: Answer, first: Iterable[Parcel]) -> None:
        self._answer = answer
        self._said = deque(islice(first, _MOST_SAID))

    def send(self, data: bytes, descriptors: Sequence[int], deadline: float) -> None:
        """See `Line`. The peer borrows the descriptors: they are closed by whoever sends."""
        said = self._answer(Parcel(data, tuple(descriptors)))
        self._said.extend(islice(said, _MOST_SAID - len(self._said)))

    def receive(self, deadline: float, order: ByteOrder) -> Parcel:
        """See `Line`. A peer that has nothing more to say will not find anything by waiting."""
        if not self._said:
            raise LineError(Trouble.SILENCE, "the other side said nothing")
        if not self._said[0].data:
            raise LineError(Trouble.CLOSED, "the other side closed the connection")
        return self._said.popleft()

    def fall_silent(self) -> None:
        """See `Line`."""

    def close(self) -> None:
        """See `Line`."""

    @property
    def peer(self) -> Peer | None:
        """See `Line`."""
        return None
