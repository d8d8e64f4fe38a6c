"""One connection: what each message does, by what it is for, and how it is answered."""

import os
import signal
import socket
import time
from contextlib import suppress

from vudissect.check.link import Clock, Link, LinkError
from vudissect.check.reference.control import Control
from vudissect.check.reference.device import KEEPERS, Device, offered_by
from vudissect.check.reference.fault import Faults, IgnoredError, RefusedError, die
from vudissect.check.reference.intake import HangUpError, Intake, Request
from vudissect.check.reference.models.model import Model
from vudissect.protocol import payloads
from vudissect.protocol.crypto import SESSION_ID
from vudissect.protocol.features import PROTOCOL_FEATURES
from vudissect.protocol.model import Answer, Channel, Layout, Row, Side
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import UPSTREAM
from vudissect.wire.codec import codec_of, layout_codec
from vudissect.wire.fields import Fields, from_fields, to_fields
from vudissect.wire.header import NEED_REPLY, REPLY, VERSION, VERSION_MASK, struct_of

_HEADER = struct_of("III", "little")
_CODEC = codec_of(UPSTREAM, "little")
_PATIENCE = 1.0
_NOTHING: Fields = {}
_LARGE_NUMBER = 1 << 31
_SKIP_DRAIN = "GET_VRING_BASE_SKIP_DRAIN"
_OTHER_SIZES = {
    (Purpose.SET_RING_SIZE, 4): "FRM-08",
    (Purpose.ACK_FEATURES, 16): "FRM-09",
    (Purpose.SET_RING_SIZE, 0): "FRM-10",
    (Purpose.OFFER_FEATURES, 4096): "FRM-18",
    (Purpose.SET_KICK, 16): "FRM-19",
    (Purpose.SET_RING_ADDRESSES, 8): "FRM-20",
    (Purpose.OFFER_INFLIGHT, 0): "INF-02",
    (Purpose.ADD_MEMORY, 36): "MEM-16",
}
"""Which cases send a payload of this size, that the message does not have."""
_GATED = {Purpose.RESET: "LIF-05", Purpose.GET_STATUS: "STA-02", Purpose.KICK_RING: "INB-01"}
_GATED_BY_LAYOUT = {payloads.VRING_ENDIAN: "END-01", SESSION_ID: "CRY-01"}
"""Which cases send what is not offered."""


class Session:
    """Serves one front-end until it hangs up. `without` are protocol features that are not offered."""

    def __init__(
        self, sock: socket.socket, model: Model, faults: Faults, without: int, control: Control | None = None
    ) -> None:
        sock.setblocking(False)
        self._link = Link(sock, Clock())
        self._intake = Intake(sock, faults)
        self._faults = faults
        self._offered = offered_by(model, without)
        self.device = Device(model, faults, self._offered, control or Control())
        self._leaked: list[int] = []

    @property
    def socket(self) -> socket.socket:
        """To be waited for."""
        return self._link.socket

    @property
    def is_idle(self) -> bool:
        """Whether nothing was ever sent, and nothing has begun."""
        return not self._intake.messages and not self._intake.within

    @property
    def messages(self) -> int:
        """How many have come."""
        return self._intake.messages

    @property
    def within_a_message(self) -> bool:
        """Whether a message has begun."""
        return self._intake.within

    def serve(self) -> None:
        """There is something to be read; `HangUpError`."""
        request = self._intake.read()
        if request is not None:
            self.carry_out(request)

    def carry_out(self, request: Request) -> None:
        """Do what a message says, and answer it; `HangUpError`."""
        try:
            self._handle(request)
        except IgnoredError:
            pass
        except RefusedError as refused:
            self._refuse(request, str(refused))
        except LinkError:
            raise HangUpError from None

    def close(self) -> None:
        """Close everything."""
        self.device.close()
        self._intake.close()
        if not self._faults.has("FDS-12"):
            for fd in self._leaked:
                os.close(fd)
        else:
            os.dup(self.socket.fileno())
        self._link.close()

    def _handle(self, request: Request) -> None:
        row = UPSTREAM.request(Channel.MAIN, request.number)
        kept = False
        try:
            self._check_header(request)
            if row is None:
                self._unknown(request)
                return
            self._check_descriptors(row, request)
            fields = self._fields(row, request)
            handler = self.device.handlers.get(row.purpose)
            if row.opens is Channel.GPU:
                handler = self.device.open_display
            self._check_gate(row, handler is not None)
            self.device.core.drains = _SKIP_DRAIN not in row.gate.protocol
            answer = None if fields is None or handler is None else handler(fields, request.descriptors)
            kept = row.purpose in KEEPERS
            self._answer(row, request, answer)
        finally:
            if not kept or self._faults.has("MEM-13"):
                self._let_go(request.descriptors)

    def _let_go(self, fds: tuple[int, ...]) -> None:
        if self._faults.has("FDS-01", "FDS-07", "MEM-13"):
            self._leaked += fds
            return
        for fd in fds:
            with suppress(OSError):
                os.close(fd)

    def _check_header(self, request: Request) -> None:
        refuse = self._faults.refuse
        version = request.flags & VERSION_MASK
        if (
            (version == 0 and not self._faults.has("FRM-04"))
            or (version > 1 and not self._faults.has("FRM-05"))
            or (request.flags & REPLY and not self._faults.has("FRM-06"))
            or (request.flags & ~0xF and not self._faults.has("FRM-07"))
        ):
            raise HangUpError
        refuse("FDS-09", request.late, "descriptors came with the payload")

    def _unknown(self, request: Request) -> None:
        case = "FRM-21" if request.number > _LARGE_NUMBER else "FRM-12" if request.number else "FRM-14"
        if self._faults.has(case):
            self._send(request.number, VERSION | REPLY, bytes(8))
            return
        if request.flags & NEED_REPLY and self.device.core.agreed("REPLY_ACK"):
            self._send(request.number, VERSION | REPLY, bytes([not self._faults.has("FRM-13")]) + bytes(7))
            return
        raise HangUpError

    def _check_descriptors(self, row: Row, request: Request) -> None:
        count = len(request.descriptors)
        if row.fds.most or row.purpose is Purpose.REMOVE_MEMORY:
            return
        if count == 40 and self._faults.has("FDS-08"):
            signal.pause()
        if count and not self._faults.has("FDS-01" if count == 1 else "FDS-07"):
            raise HangUpError

    def _fields(self, row: Row, request: Request) -> Fields | None:
        """The payload by name; `RefusedError` for one of another size, None if that is to be overlooked."""
        refuse = self._faults.refuse
        data, size = request.data, request.size
        layout = row.request[0]
        message = _CODEC.decode(Channel.MAIN, Side.FRONT_END, data)
        if message.layout is payloads.MEM_REG_CONSUMED and self.device.postcopy.listening:
            return {}
        # The forms of crypto sessions are for the device to tell apart.
        if layout.size is not None and size != layout.size and row.purpose is not Purpose.OPEN_SESSION:
            refuse(_OTHER_SIZES.get((row.purpose, size), ""), True, "a payload of another size")
            if row.answer is not Answer.ALWAYS:
                return None
            return to_fields(layout, layout_codec(layout, "little").decode(bytes(layout.size), layout.size) or ())
        if not message.fits:
            self._faults.die_of("MEM-30")
            if row.purpose is Purpose.READ_CONFIG and self._faults.has("CFG-18"):
                raise IgnoredError
            refuse("CFG-19" if row.purpose is Purpose.WRITE_CONFIG else "MEM-29", True, "a payload that fits no layout")
            return None
        refuse("MEM-26", message.layout is payloads.MEM_TABLE_XEN, "a payload for Xen")
        return to_fields(message.layout, message.values)

    def _check_gate(self, row: Row, known: bool) -> None:
        """Refuse what is not offered, or not agreed upon where that matters."""
        offered = all(self._offered & PROTOCOL_FEATURES.mask(name) for name in row.gate.protocol)
        if known and offered:
            return
        if not row.gate.protocol:
            self._faults.die_of("LOG-09")
        fault = _GATED.get(row.purpose, "") or _GATED_BY_LAYOUT.get(row.request[0], "")
        if self._faults.has(fault) and fault:
            die()
        newest = {Purpose.COUNT_SHARED_MEMORY: "NEW-01", Purpose.STOP_RING: "NEW-02"}.get(row.purpose, "")
        if newest and self._faults.has(newest):
            raise IgnoredError
        if row.answer is Answer.ALWAYS:
            raise HangUpError("not offered")
        raise RefusedError("not offered")

    def _answer(self, row: Row, request: Request, answer: Fields | None) -> None:
        wanted = bool(request.flags & NEED_REPLY)
        agreed = self.device.core.agreed("REPLY_ACK") or self._faults.has("NEG-06")
        explicit = (
            row.answer is Answer.ALWAYS
            or (row.answer is Answer.IF_LOG_SHMFD and self.device.core.agreed("LOG_SHMFD"))
            or (row.answer is Answer.IF_POSTCOPY and answer is not None)
        )
        flags = VERSION | REPLY
        if self._faults.has("FRM-07"):
            flags |= request.flags & ~0xF
        if explicit:
            if wanted and self._faults.has("NEG-07" if row.answer is Answer.ALWAYS else "LOG-02"):
                flags |= NEED_REPLY
            if row.answer is Answer.IF_LOG_SHMFD and self._faults.has("LOG-01"):
                self._send(request.number, flags, bytes(4))
                return
            layout = row.reply[0] if answer != _NOTHING else payloads.EMPTY
            self._send(request.number, flags, _packed(layout, answer or _NOTHING))
        elif wanted and agreed:
            self._send(request.number, flags, bytes(8))
            if row.purpose is Purpose.SET_ERR and self._faults.has("NEG-08"):
                self._send(request.number, flags, bytes(8))

    def _refuse(self, request: Request, why: str) -> None:
        """Say no, where there is a way to say it; else hang up."""
        row = UPSTREAM.request(Channel.MAIN, request.number)
        acknowledged = row is None or row.answer is not Answer.ALWAYS
        if acknowledged and request.flags & NEED_REPLY and self.device.core.agreed("REPLY_ACK"):
            self._send(request.number, VERSION | REPLY, b"\1" + bytes(7))
        else:
            raise HangUpError(why)

    def _send(self, number: int, flags: int, payload: bytes) -> None:
        fds = (self.device.core.reply_descriptor,) if self.device.core.reply_descriptor >= 0 else ()
        self.device.core.reply_descriptor = -1
        try:
            self.transmit(_HEADER.pack(number, flags, len(payload)) + payload, fds)
        finally:
            for fd in fds:
                os.close(fd)

    def transmit(self, data: bytes, fds: tuple[int, ...]) -> None:
        """Write an answer; `LinkError`."""
        self._link.send(data, fds, _deadline())


def _packed(layout: Layout, fields: Fields) -> bytes:
    return layout_codec(layout, "little").encode(from_fields(layout, fields))


def _deadline() -> float:
    return time.monotonic() + _PATIENCE
