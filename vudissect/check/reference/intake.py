"""Messages as they come in: header first, then the payload, with what came with which."""

import os
import socket
from array import array
from socket import SCM_RIGHTS, SOL_SOCKET
from typing import NamedTuple

from vudissect.check.reference.fault import Faults
from vudissect.wire.header import HEADER_SIZE, struct_of

_HEADER = struct_of("III", "little")
_LARGEST = 4096 + 12
_MOST = 253
_MANY = 100


class HangUpError(Exception):
    """The connection is over, or has to be."""


class Request(NamedTuple):
    """A message; `late` are descriptors that did not come with the header."""

    number: int
    flags: int
    size: int
    data: bytes
    descriptors: tuple[int, ...]
    late: bool


class Intake:
    """Reads one connection, and never more of it than the message at hand."""

    def __init__(self, sock: socket.socket, faults: Faults) -> None:
        self._socket = sock
        self._faults = faults
        self._data = b""
        self._descriptors: list[int] = []
        self._late = False
        self.messages = 0

    @property
    def within(self) -> bool:
        """Whether a message has begun and is not complete."""
        return bool(self._data)

    def read(self) -> Request | None:
        """Read on; the message if it is complete now. `HangUpError`."""
        if len(self._data) < HEADER_SIZE:
            self._receive(HEADER_SIZE - len(self._data))
            if len(self._data) < HEADER_SIZE:
                self._give_up_if("FRM-01")
                self._lose_descriptors()
                return None
        number, flags, size = _HEADER.unpack_from(self._data)
        if size > _LARGEST and not self._faults.has("FRM-11"):
            raise HangUpError
        missing = HEADER_SIZE + size - len(self._data)
        if missing:
            self._receive(missing)
            if len(self._data) < HEADER_SIZE + size:
                self._give_up_if("FRM-02")
                self._lose_descriptors()
                return None
        request = Request(number, flags, size, self._data, tuple(self._descriptors), self._late)
        self._data, self._descriptors, self._late = b"", [], False
        self.messages += 1
        if self._faults.has("LIM-01") and self.messages > _MANY:
            return None
        if self._faults.has("FRM-03"):
            self._drop_the_rest()
        return request

    def _receive(self, most: int) -> None:
        try:
            data, ancillary, flags, _ = self._socket.recvmsg(
                most, socket.CMSG_SPACE(4 * _MOST), socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return
        except OSError:
            raise HangUpError from None
        if flags & socket.MSG_CTRUNC:
            self._faults.die_of("LIM-02")
        for level, kind, rights in ancillary:
            if level == SOL_SOCKET and kind == SCM_RIGHTS:
                fds = array("i")
                fds.frombytes(rights[: len(rights) - len(rights) % fds.itemsize])
                self._descriptors += fds
                self._late = self._late or bool(self._data)
        if not data:
            raise HangUpError
        self._data += data

    def close(self) -> None:
        """Close what came with a message that was never completed."""
        for fd in self._descriptors:
            os.close(fd)

    def _give_up_if(self, fault: str) -> None:
        if self._faults.has(fault):
            raise HangUpError

    def _lose_descriptors(self) -> None:
        if self._faults.has("FRM-17"):
            self._descriptors.clear()

    def _drop_the_rest(self) -> None:
        try:
            while self._socket.recv(_LARGEST):
                pass
        except OSError:
            pass
