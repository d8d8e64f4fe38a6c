"""Our end of a channel on a real socket: messages in any pieces out, whole messages in; every wait has an end."""

import select
import socket
import time
from array import array
from collections.abc import Sequence
from fcntl import ioctl
from socket import SCM_RIGHTS, SOL_SOCKET
from termios import TIOCOUTQ
from typing import NamedTuple

from vudissect.protocol.model import Side
from vudissect.wire.header import HEADER_SIZE, struct_of

_READ = 1 << 16
_MOST_DESCRIPTORS = 253
_LARGEST = 1 << 24
_LOOK_EVERY = 0.0002
_HEADER = struct_of("III", "little")


class LinkError(Exception):
    """The other side has closed the connection (`how`: "eof" or "reset"), or sends what no reader can follow."""

    def __init__(self, how: str, text: str) -> None:
        super().__init__(text)
        self.how = how


class Incoming(NamedTuple):
    """A message that came in; the descriptors belong to whoever asked for it."""

    data: bytes
    descriptors: tuple[int, ...]
    lost: bool

    @property
    def number(self) -> int:
        """The message number in its header."""
        return int(_HEADER.unpack_from(self.data)[0])

    @property
    def flags(self) -> int:
        """The flags in its header."""
        return int(_HEADER.unpack_from(self.data)[1])


class Clock:
    """Counts the time for which somebody else was waited for."""

    def __init__(self) -> None:
        self.waited = 0.0

    def poll(self, fds: Sequence[int], deadline: float, events: int = select.POLLIN) -> list[int]:
        """Those of the descriptors that are ready, none when it is too late."""
        poll = select.poll()
        for fd in fds:
            poll.register(fd, events)
        began = time.monotonic()
        ready = poll.poll(max(0.0, deadline - began) * 1000)
        self.waited += time.monotonic() - began
        return [fd for fd, _ in ready]

    def sleep(self, seconds: float) -> None:
        """Let the other side have some time."""
        time.sleep(seconds)
        self.waited += seconds


class Link:
    """A channel of one connection; `other` is the side under test."""

    def __init__(self, sock: socket.socket, clock: Clock, other: Side = Side.BACK_END) -> None:
        sock.setblocking(False)
        self._other = other
        self.socket = sock
        self.ended = ""
        self.is_new = True
        self._clock = clock
        self._data = bytearray()
        self._descriptors: list[int] = []
        self._lost = False

    def send(self, data: bytes, descriptors: Sequence[int], deadline: float) -> None:
        """Write all of it, the descriptors with its first byte; `LinkError`."""
        rights = [(SOL_SOCKET, SCM_RIGHTS, array("i", descriptors).tobytes())] if descriptors else []
        rest = memoryview(data)
        while rest or rights:
            try:
                sent = self.socket.sendmsg([rest], rights, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                if not self._clock.poll([self.socket.fileno()], deadline, select.POLLOUT):
                    raise LinkError("full", f"the {self._other.label} does not read what is sent to it") from None
                continue
            except OSError as error:
                raise self._end("reset" if isinstance(error, ConnectionResetError) else "eof") from None
            rest, rights = rest[sent:], []

    def await_reader(self, deadline: float) -> None:
        """Wait until the other side has read all that was sent, or for so long."""
        while time.monotonic() < deadline and self.unread:
            self._clock.sleep(_LOOK_EVERY)

    @property
    def unread(self) -> bool:
        """Whether something was sent that the other side has not read yet."""
        return any(ioctl(self.socket, TIOCOUTQ, bytes(4)))

    def receive(self, deadline: float) -> Incoming | None:
        """The next message, None if it does not come in time; `LinkError` when the other side has closed."""
        while (message := self.next()) is None:
            if not self._clock.poll([self.socket.fileno()], deadline):
                return None
            self.read()
        return message

    def next(self) -> Incoming | None:
        """A message that is here already."""
        if len(self._data) < HEADER_SIZE:
            return None
        size = _HEADER.unpack_from(self._data)[2]
        if size > _LARGEST:
            raise LinkError("eof", f"a reply that claims to have {size} bytes")
        if len(self._data) < HEADER_SIZE + size:
            return None
        message = Incoming(bytes(self._data[: HEADER_SIZE + size]), tuple(self._descriptors), self._lost)
        del self._data[: HEADER_SIZE + size]
        self._descriptors, self._lost = [], False
        return message

    def read(self) -> None:
        """Read what there is; `LinkError` at the end."""
        try:
            data, ancillary, flags, _ = self.socket.recvmsg(
                _READ, socket.CMSG_SPACE(4 * _MOST_DESCRIPTORS), socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return
        except OSError:
            raise self._end("reset") from None
        for level, kind, rights in ancillary:
            if level == SOL_SOCKET and kind == SCM_RIGHTS:
                numbers = array("i")
                numbers.frombytes(rights[: len(rights) - len(rights) % numbers.itemsize])
                self._descriptors += numbers
        self._lost = self._lost or bool(flags & socket.MSG_CTRUNC)
        if not data:
            raise self._end("eof")
        self._data += data
        self.is_new = False

    def close(self) -> None:
        """Close our end."""
        self.socket.close()

    def _end(self, how: str) -> LinkError:
        self.ended = how
        return LinkError(how, f"the {self._other.label} closed the connection" + (" (reset)" if how == "reset" else ""))
