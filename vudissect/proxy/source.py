"""Reading a socket in a way that finds each descriptor with the byte it came with.

The kernel ends a read after the write that carried descriptors, but lets it begin with bytes of earlier writes: a
large read with descriptors does not show where they were. So it is preceded by a look ahead (MSG_PEEK, without room
for descriptors), which shows whether there are descriptors without removing anything. If not, everything is read with
one call. If so, headers and payloads are read one after the other up to there, as receivers read them: the
descriptors of such a read came with its first byte, which is all that a receiver can know.
"""

import socket
from socket import MSG_CTRUNC, MSG_DONTWAIT, MSG_PEEK

from vudissect.proxy.rights import only_rights
from vudissect.wire.framing import Framer, Rights
from vudissect.wire.header import HEADER_SIZE

READ_SIZE = 1 << 16

# The kernel passes at most 253 descriptors with one sendmsg; what a socket may be set to add is dropped.
_MOST_DESCRIPTORS = 253
_OTHER_CONTROL = 512
_CONTROL_SIZE = socket.CMSG_SPACE(4 * _MOST_DESCRIPTORS) + _OTHER_CONTROL

# Sockets that were handed over share their blocking mode with their former owner, so it is never changed;
# each call asks not to wait.
_MSG_CMSG_CLOEXEC = 0x4000_0000
# Plain numbers, because arithmetic on enumerations is slow.
_DONT_WAIT = int(MSG_DONTWAIT)
_RECEIVE = _MSG_CMSG_CLOEXEC | _DONT_WAIT
_LOOK = int(MSG_PEEK) | _DONT_WAIT
_TRUNCATED = int(MSG_CTRUNC)

# The buffer for the look ahead, which nobody reads: one for all sockets.
_UNREAD = [bytearray(READ_SIZE)]


# The result of one read: bytes, the descriptors that came with the first of them, whether some were lost, and
# whether it was available at the same time as the previous read. A plain tuple, because one is made for every read.
Read = tuple[bytes, Rights, bool, bool]


class Source:
    """A stream socket to read from, for a framer."""

    def __init__(self, sock: socket.socket, framer: Framer) -> None:
        self._framer = framer
        self._look = sock.recvmsg_into
        self._receive = sock.recv
        self._receive_message = sock.recvmsg
        self._apart = False
        self._ahead = 0  # bytes up to the end of those that were seen with descriptors
        self._more = False  # whether some of those are left after the last read
        self._carried = False  # whether the message that is read apart had descriptors
        self._next: Read | OSError | None = None  # already read

    def plain(self) -> bytes | None:
        """Everything available, if it has no descriptors; b"" at the end of the stream; None: use `apart`.

        `OSError` as from recv; `BlockingIOError` if nothing is available.
        """
        if self._apart:
            return None
        size, _, flags, _ = self._look(_UNREAD, 0, _LOOK)
        if flags & _TRUNCATED:
            self._apart = True
            self._ahead = size
            return None
        return self._receive(size, _DONT_WAIT) if size else b""

    def apart(self, together: bool) -> Read:
        """What a receiver reads next: a header, its payload, or both if the payload has no descriptors of its own.

        `OSError` as from recvmsg. `together`: it follows directly after another read.
        """
        if self._next:
            read, self._next = self._next, None
            if isinstance(read, OSError):
                raise read
            return read
        framer = self._framer
        if not framer.aligned:
            return self._read(min(framer.needed, READ_SIZE), together)
        header = self._read(HEADER_SIZE, together)
        data, rights, lost, together = header
        size = framer.payload_size(data) if len(data) == HEADER_SIZE else 0
        if not 0 < size <= READ_SIZE:
            return header
        try:
            payload = self._read(size, True)
        except BlockingIOError:
            return header
        except OSError as error:
            self._next = error
            return header
        if payload[1] or payload[2]:
            # It has its own descriptors, or lost some.
            self._next = payload
            return header
        return data + payload[0], rights, lost, together

    def leave(self) -> bool:
        """A message has ended; whether everything that was seen ahead has been read.

        The next one is also read apart if this one had descriptors: then a look ahead would only cost time.
        """
        if self._more or self._next:
            return False
        self._apart, self._carried = self._carried, False
        return True

    def _read(self, size: int, together: bool) -> Read:
        together = together or self._more
        data, ancillary, flags, _ = self._receive_message(size, _CONTROL_SIZE, _RECEIVE)
        self._ahead -= len(data)
        self._more = self._ahead > 0
        if ancillary:
            ancillary = only_rights(ancillary)
            self._carried = True
        return data, ancillary, flags & _TRUNCATED != 0, together
