"""The channel on which the back-end asks the front-end."""

import os
import socket
from array import array
from contextlib import suppress
from socket import SCM_RIGHTS, SOL_SOCKET

from vudissect.check.reference.fault import Faults
from vudissect.protocol.back_end import MESSAGES
from vudissect.protocol.payloads import IOTLB_MISS
from vudissect.protocol.purpose import Purpose
from vudissect.wire.codec import layout_codec
from vudissect.wire.fields import Fields, from_fields
from vudissect.wire.header import NEED_REPLY, VERSION, struct_of

_MOST = 4096
_READ = 1
_PATIENCE = 0.3
_HEADER = struct_of("III", "little")
_ACK = struct_of("Q", "little")
_ROWS = {row.purpose: row for row in MESSAGES}


class BackendChannel:
    """Our end of it, -1 while there is none. What comes unasked is dropped."""

    def __init__(self, faults: Faults) -> None:
        self.fd = -1
        self._faults = faults

    def replace(self, fd: int) -> None:
        """Use another socket, and close the one before."""
        if self.fd >= 0 and not self._faults.has("CHN-01"):
            os.close(self.fd)
        self.fd = fd

    def read(self) -> None:
        """There is something, or the front-end has closed its end."""
        try:
            data = os.read(self.fd, _MOST)
        except OSError:
            data = b""
        if data:
            self._faults.die_of("CHN-03")
            return
        self._faults.die_of("CHN-02")
        self.close()

    def report_miss(self, iova: int) -> None:
        """Ask for the entry of an address. Nobody is asked where there is no channel."""
        if self.fd < 0 or self._faults.has("IOT-02"):
            return
        self.tell(Purpose.UPDATE_IOTLB, {"iova": iova, "perm": _READ, "type": IOTLB_MISS})

    def tell(self, purpose: Purpose, fields: Fields) -> None:
        """Say something that nobody has to acknowledge."""
        with suppress(OSError):
            os.write(self.fd, _message(purpose, VERSION, fields))

    def ask(self, purpose: Purpose, fields: Fields, fds: tuple[int, ...] = ()) -> bool:
        """Ask for something, and wait for the acknowledgement; whether it is done."""
        data = _message(purpose, VERSION | NEED_REPLY, fields)
        rights = [(SOL_SOCKET, SCM_RIGHTS, array("i", fds).tobytes())] if fds else []
        with suppress(OSError), socket.socket(fileno=os.dup(self.fd)) as channel:
            channel.settimeout(_PATIENCE)
            channel.sendmsg([data], rights)
            return not any(received(channel, _HEADER.size + _ACK.size)[_HEADER.size :])
        return False

    def close(self) -> None:
        """Close it."""
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1


def _message(purpose: Purpose, flags: int, fields: Fields) -> bytes:
    row = _ROWS[purpose]
    layout = row.request[0]
    payload = layout_codec(layout, "little").encode(from_fields(layout, fields))
    return _HEADER.pack(row.id, flags, len(payload)) + payload


def received(sock: socket.socket, size: int) -> bytes:
    """So many bytes; `OSError` if they do not come."""
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise ConnectionResetError
        data += more
    return data
