"""One connection to a back-end: requests out, answers checked, and the channel of the back-end served meanwhile."""

import os
import select
import socket
import time
from array import array
from collections.abc import Mapping
from socket import SCM_RIGHTS, SOL_SOCKET
from typing import Any, NamedTuple

from vudissect.check.front_end.reference.channel import ServedChannel
from vudissect.check.front_end.reference.errors import GiveUpError, LostError, hang
from vudissect.check.reference.fault import Faults
from vudissect.protocol.features import PROTOCOL_FEATURES
from vudissect.protocol.model import Channel, Layout, Row
from vudissect.protocol.payloads import ACK
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import UPSTREAM
from vudissect.wire.codec import layout_codec
from vudissect.wire.fields import Fields, from_fields, to_fields
from vudissect.wire.header import HEADER_SIZE, NEED_REPLY, REPLY, VERSION, struct_of

_HEADER = struct_of("III", "little")
_PATIENCE = 1.2
_LITTLE_PATIENCE = 0.4
_LARGEST = 4096
_MOST = 16
_ROWS = {row.purpose: row for row in reversed(UPSTREAM.channel(Channel.MAIN))}
_SHORT = HEADER_SIZE + 8


class Reply(NamedTuple):
    """An answer; the descriptors are the receiver's."""

    fields: Fields
    descriptors: tuple[int, ...] = ()


class Connection:
    """Sends requests and reads their answers; `GiveUpError`, `LostError`."""

    def __init__(self, sock: socket.socket, faults: Faults) -> None:
        self.socket = sock
        self.channel: ServedChannel | None = None
        self.agreed = 0
        self._faults = faults
        self._descriptors: list[int] = []

    def has(self, name: str) -> bool:
        """Whether a protocol feature is acknowledged."""
        return bool(self.agreed & PROTOCOL_FEATURES.mask(name))

    def send(self, purpose: Purpose, fields: Mapping[str, Any] | None = None, fds: tuple[int, ...] = ()) -> None:
        """Send a message that is not answered."""
        self._write(_ROWS[purpose], fields or {}, fds, VERSION)

    def command(self, purpose: Purpose, fields: Mapping[str, Any] | None = None, fds: tuple[int, ...] = ()) -> None:
        """Send a message, and wait for its acknowledgement if that was agreed upon; `GiveUpError` if it is refused."""
        row = _ROWS[purpose]
        asks = self.has("REPLY_ACK") or self._faults.has("F-47")
        self._write(row, fields or {}, fds, VERSION | (NEED_REPLY if asks else 0))
        if asks and self._answer(row, ACK).fields["result"] and not self._faults.has("F-25", "F-70"):
            raise GiveUpError(f"{row.name} is refused")

    def ask(self, purpose: Purpose, fields: Mapping[str, Any] | None = None, fds: tuple[int, ...] = ()) -> Reply:
        """Send a message that has an answer of its own, and wait for it."""
        row = _ROWS[purpose]
        self._write(row, fields or {}, fds, VERSION)
        wanted = (fields or {}).get("size", 0) if purpose is Purpose.READ_CONFIG else 0
        return self._answer(row, row.reply[0], wanted)

    def close(self) -> None:
        """Close the connection and its channel."""
        if self.channel is not None:
            self.channel.close()
        for fd in self._descriptors:
            os.close(fd)
        self.socket.close()

    def _write(self, row: Row, fields: Mapping[str, Any], fds: tuple[int, ...], flags: int) -> None:
        layout = row.request[0]
        payload = layout_codec(layout, "little").encode(from_fields(layout, fields))
        rights = [(SOL_SOCKET, SCM_RIGHTS, array("i", fds).tobytes())] if fds else []
        try:
            self.socket.sendmsg([_HEADER.pack(row.id, flags, len(payload)) + payload], rights)
        except OSError:
            raise LostError(f"the back-end closed the connection before {row.name}") from None

    def _answer(self, row: Row, layout: Layout, tail: int = 0) -> Reply:
        """The answer to a request, with so many bytes after its fixed part."""
        faults, deadline = self._faults, self._deadline()
        while True:
            number, flags, size = _HEADER.unpack(self._read(HEADER_SIZE, row, deadline))
            if flags != VERSION | REPLY and not faults.has("F-02", "F-44"):
                raise GiveUpError(f"the answer to {row.name} has flags {flags:#x}")
            if size > _LARGEST and not faults.has("F-22"):
                raise GiveUpError(f"the answer to {row.name} has {size} bytes")
            payload = self._read(size, row, deadline)
            if number == row.id or not faults.has("F-08", "F-23"):
                break
        if number != row.id and not faults.has("F-04"):
            raise GiveUpError(f"{row.name} is answered by message {number}")
        expected = len(layout_codec(layout, "little").encode(from_fields(layout, {}))) + tail
        lenient = faults.has("F-05", "F-06", "F-16", "F-17", "F-18", "F-22", "F-45")
        if size != expected and not lenient:
            raise GiveUpError(f"the answer to {row.name} has {size} bytes, not {expected}")
        return Reply(self._fields(layout, payload, expected), self._take_descriptors(row))

    def _fields(self, layout: Layout, payload: bytes, expected: int) -> Fields:
        payload = payload[:expected].ljust(expected, b"\0")
        values = layout_codec(layout, "little").decode(payload, len(payload))
        return to_fields(layout, values) if values is not None else {}

    def _take_descriptors(self, row: Row) -> tuple[int, ...]:
        """Those that the answer may have; the others are closed."""
        taken, self._descriptors = tuple(self._descriptors), []
        if row.reply_fds.most:
            return taken
        if taken:
            self._faults.die_of("F-24")
        for fd in taken:
            os.close(fd)
        return ()

    def _deadline(self) -> float | None:
        if self._faults.has("F-09", "F-21", "F-28"):
            return None
        return time.monotonic() + (_LITTLE_PATIENCE if self._faults.has("F-40") else _PATIENCE)

    def _read(self, size: int, row: Row, deadline: float | None) -> bytes:
        data = b""
        while len(data) < size:
            self._await(row, deadline)
            if self._faults.has("F-07", "F-41") and len(self.socket.recv(_SHORT, socket.MSG_PEEK)) < _SHORT <= size + 8:
                raise GiveUpError(f"the answer to {row.name} is short")
            try:
                part, ancillary, _, _ = self.socket.recvmsg(size - len(data), socket.CMSG_SPACE(4 * _MOST))
            except OSError:
                part, ancillary = b"", []
            for level, kind, rights in ancillary:
                if level == SOL_SOCKET and kind == SCM_RIGHTS:
                    fds = array("i")
                    fds.frombytes(rights[: len(rights) - len(rights) % fds.itemsize])
                    self._descriptors += fds
            if not part:
                raise LostError(f"the back-end closed the connection before the end of the answer to {row.name}")
            data += part
        return data

    def _await(self, row: Row, deadline: float | None) -> None:
        """Wait until there is something to be read, and serve the channel meanwhile."""
        while True:
            waiting = [self.socket]
            if self.channel is not None:
                waiting.append(self.channel.socket)
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = select.select(waiting, [], [], left)[0]
            if not ready:
                raise GiveUpError(f"{row.name} is not answered")
            if self.channel is not None and self.channel.socket in ready:
                if self._faults.has("F-39"):
                    raise GiveUpError(f"{row.name} is answered on another channel")
                self.serve_channel()
            if self.socket in ready:
                return

    def serve_channel(self) -> None:
        """Read the channel; close it if that is all that can be done."""
        if self.channel is not None and not self.channel.serve():
            self.channel.close()
            self.channel = None

    def hang_if(self, fault: str) -> None:
        """Hang, if that is the fault."""
        if self._faults.has(fault):
            hang()
