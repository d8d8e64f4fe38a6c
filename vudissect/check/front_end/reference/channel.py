"""The channel of the back-end, as the front-end serves it."""

import os
import socket

from vudissect.check.front_end.reference.errors import GiveUpError, hang
from vudissect.check.reference.fault import Faults
from vudissect.protocol.model import Answer, Channel, Row
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import UPSTREAM
from vudissect.wire.header import HEADER_SIZE, NEED_REPLY, REPLY, VERSION, VERSION_MASK, struct_of

_HEADER = struct_of("III", "little")
_WORD = struct_of("Q", "little")
_LARGEST = 4096
_READ = 65536
_MANY = 500


class ServedChannel:
    """Our end of the channel. `changed`: the configuration has to be read again."""

    def __init__(self, faults: Faults, *, acknowledges: bool) -> None:
        self.socket, self.theirs = socket.socketpair()
        self.changed = False
        self._faults = faults
        self._acknowledges = acknowledges
        self._data = b""
        self._changes = 0

    def serve(self) -> bool:
        """Read what there is, and do it; whether the channel can still be used."""
        data, fds, _, _ = socket.recv_fds(self.socket, _READ, 8, socket.MSG_DONTWAIT)
        for fd in fds:
            os.close(fd)
        if not data:
            self._faults.die_of("F-52")
            return False
        self._data += data
        while len(self._data) >= HEADER_SIZE:
            number, flags, size = _HEADER.unpack_from(self._data)
            if size > _LARGEST or flags & REPLY or flags & VERSION_MASK != VERSION:
                self._faults.die_of("F-53" if size > _LARGEST else "F-58")
                return False
            if len(self._data) < HEADER_SIZE + size:
                if self._faults.has("F-55"):
                    hang()
                break
            self._data = self._data[HEADER_SIZE + size :]
            self._handle(number, flags)
        if 0 < len(self._data) < HEADER_SIZE:
            self._faults.die_of("F-54")
        return True

    def close(self) -> None:
        """Close both ends that are still here."""
        self.socket.close()
        self.theirs.close()

    def _handle(self, number: int, flags: int) -> None:
        row = UPSTREAM.request(Channel.BACKEND, number)
        done = self._do(row)
        asked = flags & NEED_REPLY and self._acknowledges and not self._faults.has("F-56")
        always = row is not None and row.answer is Answer.ALWAYS
        if asked or always or self._faults.has("F-57"):
            header = _HEADER.pack(number, VERSION | REPLY, _WORD.size)
            self.socket.sendall(header + _WORD.pack(0 if done else 1))

    def _do(self, row: Row | None) -> bool:
        """Whether it could be done: a front-end of a disk does not need most of it."""
        if row is None:
            return self._faults.has("F-31")
        if row.purpose is Purpose.UPDATE_IOTLB:
            self._faults.die_of("F-32")
        if row.purpose is Purpose.MAP_SHARED_MEMORY:
            return self._faults.has("F-33")
        if row.answer is Answer.ALWAYS:
            return self._faults.has("F-78")
        if row.purpose is not Purpose.CHANGE_CONFIG:
            return self._faults.has("F-59")
        self.changed = True
        self._changes += 1
        if self._changes > _MANY and self._faults.has("F-30"):
            raise GiveUpError("the configuration changes too often")
        return True
