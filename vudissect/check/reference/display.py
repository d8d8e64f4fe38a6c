"""The channel on which a GPU asks the front-end for displays, and has pixels drawn."""

import os
import socket
from contextlib import suppress

from vudissect.check.reference.channel import received
from vudissect.protocol.gpu import MESSAGES
from vudissect.protocol.model import Answer
from vudissect.protocol.purpose import Purpose
from vudissect.wire.codec import layout_codec
from vudissect.wire.fields import Fields, from_fields
from vudissect.wire.header import struct_of

_HEADER = struct_of("III", "little")
_PATIENCE = 0.3
_ROWS = {row.purpose: row for row in MESSAGES}


class Display:
    """Our end of it."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.settimeout(_PATIENCE)

    def ask(self, purpose: Purpose, fields: Fields | None = None, *, cut: int = 0) -> bytes | None:
        """Send a message, `cut` so many bytes too short; the payload of its answer, None if none comes."""
        row = _ROWS[purpose]
        layout = row.request[0]
        payload = layout_codec(layout, "little").encode(from_fields(layout, fields or {}))
        payload = payload[: len(payload) - cut]
        with suppress(OSError):
            self._socket.sendall(_HEADER.pack(row.id, 0, len(payload)) + payload)
            if row.answer is Answer.ALWAYS:
                size = _HEADER.unpack(received(self._socket, _HEADER.size))[2]
                return received(self._socket, size)
        return None

    def close(self) -> None:
        """Close it."""
        os.close(self._socket.detach())
