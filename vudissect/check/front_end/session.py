"""One connection of a front-end: answered as it should be, but for what the script of the case does with an answer."""

import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from vudissect.check.front_end.device import CONFIG_ROOM, Offer, Servant, rings_for
from vudissect.check.link import Clock, Link, LinkError
from vudissect.check.reference.core import Fds
from vudissect.check.reference.device import OFFERED
from vudissect.check.reference.fault import Faults, RefusedError
from vudissect.check.reference.intake import HangUpError, Request
from vudissect.check.reference.session import Session
from vudissect.protocol.model import Answer as RowAnswer
from vudissect.protocol.model import Channel, Device, Side
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import UPSTREAM
from vudissect.wire.fields import Fields
from vudissect.wire.header import NEED_REPLY, struct_of

_HEADER = struct_of("III", "little")
SHARED_MEMORY = 1 << 20
"""The size of the only region of shared memory."""


class Answer(NamedTuple):
    """An answer before it is sent."""

    data: bytes
    descriptors: tuple[int, ...] = ()

    def with_header(self, *, number: int | None = None, flags: int | None = None) -> "Answer":
        """The same with another header."""
        old_number, old_flags, size = _HEADER.unpack_from(self.data)
        header = _HEADER.pack(old_number if number is None else number, old_flags if flags is None else flags, size)
        return self._replace(data=header + self.data[len(header) :])

    def with_payload(self, payload: bytes) -> "Answer":
        """The same with another payload."""
        number, flags, _ = _HEADER.unpack_from(self.data)
        return self._replace(data=_HEADER.pack(number, flags, len(payload)) + payload)

    @property
    def payload(self) -> bytes:
        """What follows the header."""
        return self.data[_HEADER.size :]


Transmit = Callable[[Answer], None]


def request_name(number: int) -> str:
    """What to call a message of the front-end."""
    row = UPSTREAM.request(Channel.MAIN, number)
    return row.name if row is not None else f"message {number}"


def wants_acknowledgement(request: Request) -> bool:
    """Whether NEED_REPLY is set."""
    return bool(request.flags & NEED_REPLY)


class RefusalError(Exception):
    """The front-end sends what it may not send. `answered`: it may wait for an answer, which it does not get."""

    def __init__(self, request: Request, why: str, *, answered: bool) -> None:
        super().__init__(f"{request_name(request.number)} may not be sent: {why or 'it is malformed'}")
        self.answered = answered


class ScriptedSession(Session):
    """The reference back-end as the device that is offered. `arrived` gets each message, `transmits` each answer."""

    def __init__(
        self,
        sock: socket.socket,
        device: Device,
        servant: Servant,
        offer: Offer,
        arrived: Callable[[Request], None],
        transmits: Transmit,
    ) -> None:
        super().__init__(sock, servant, Faults(), ~offer.protocol_features)
        self.channel: Link | None = None
        self._offered = offer.protocol_features
        self._lost = False
        self._offer = offer
        self._arrived = arrived
        self._transmits = transmits
        self.device.rings[:] = rings_for(device, offer.rings, servant, self.device.core.log)
        known = self.device.handlers
        self._accept = known[Purpose.ACK_FEATURES]
        self._enable_ring = known[Purpose.ENABLE_RING]
        self._replace_memory = known[Purpose.REPLACE_MEMORY]
        self._set_call_event = known[Purpose.SET_CALL]
        self._use_inflight = known[Purpose.SET_INFLIGHT]
        self._has_features = False
        self._offered_before = known[Purpose.OFFER_FEATURES]({}, ()) or {}
        self._acknowledge = known[Purpose.ACK_PROTOCOL_FEATURES]
        known |= {
            Purpose.OFFER_FEATURES: lambda fields, fds: {"features": offer.features},
            Purpose.OFFER_PROTOCOL_FEATURES: lambda fields, fds: {"features": offer.protocol_features},
            Purpose.ACK_FEATURES: self._set_features,
            Purpose.ACK_PROTOCOL_FEATURES: self._set_protocol_features,
            Purpose.COUNT_QUEUES: lambda fields, fds: {"queues": offer.queues},
            Purpose.COUNT_MEMORY_SLOTS: lambda fields, fds: {"slots": offer.slots},
            Purpose.ENABLE_RING: self._enable,
            Purpose.REPLACE_MEMORY: self._set_memory,
            Purpose.SET_CALL: self._set_call,
            Purpose.SET_INFLIGHT: self._set_inflight,
            Purpose.COUNT_SHARED_MEMORY: lambda fields, fds: {"nregions": 1, "sizes": [{"size": SHARED_MEMORY}]},
            Purpose.OPEN_CHANNEL: self._open_channel,
            Purpose.READ_CONFIG: self._read_config,
            Purpose.WRITE_CONFIG: lambda fields, fds: None,
        }

    def serve(self) -> None:
        """There is something to be read; `HangUpError`."""
        request = self._intake.read()
        if request is not None:
            self._arrived(request)

    def carry_out(self, request: Request) -> None:
        """See `Session`; `RefusalError` for what a front-end may not send."""
        try:
            super().carry_out(request)
        except HangUpError as error:
            if self._lost:
                raise
            raise RefusalError(request, str(error), answered=self._is_answered(request)) from None

    def _is_answered(self, request: Request) -> bool:
        """Whether the front-end may wait for an answer."""
        row = UPSTREAM.request(Channel.MAIN, request.number)
        return row is None or row.answer is not RowAnswer.ON_REQUEST or wants_acknowledgement(request)

    def transmit(self, data: bytes, fds: tuple[int, ...]) -> None:
        """See `Session`."""
        self._transmits(Answer(data, fds))

    def write(self, data: bytes, fds: tuple[int, ...] = ()) -> None:
        """Write bytes to the front-end; `LinkError`."""
        try:
            super().transmit(data, fds)
        except LinkError:
            self._lost = True
            raise

    @property
    def link(self) -> Link:
        """Our end of the connection."""
        return self._link

    def close(self) -> None:
        """See `Session`."""
        if self.channel is not None:
            self.channel.close()
        super().close()

    def _set_features(self, fields: Fields, fds: Fds) -> None:
        """What was offered though it is not there may be acknowledged."""
        self._has_features = True
        there = self._offered_before["features"]
        self._accept({**fields, "features": fields["features"] & there}, fds)

    def _set_protocol_features(self, fields: Fields, fds: Fds) -> None:
        there = OFFERED & self._offer.protocol_features
        self._acknowledge({**fields, "features": fields["features"] & there}, fds)

    def _enable(self, fields: Fields, fds: Fds) -> None:
        """QEMU does that to network devices before it acknowledges features."""
        if self._has_features:
            self._enable_ring(fields, fds)
        elif fields["index"] < len(self.device.rings):
            self.device.rings[fields["index"]].enabled = bool(fields["num"])

    def _set_memory(self, fields: Fields, fds: Fds) -> None:
        """User-Mode Linux sends an empty region after its only one."""
        self._replace_memory({**fields, "regions": [each for each in fields["regions"] if each["size"]]}, fds)

    def _set_call(self, fields: Fields, fds: Fds) -> None:
        """User-Mode Linux passes a socket, which is written to like an eventfd."""
        if len(fds) == 1 and stat.S_ISSOCK(os.fstat(fds[0]).st_mode) and fields["index"] < len(self.device.rings):
            os.set_blocking(fds[0], False)
            self.device.rings[fields["index"]].replace("call", fds[0])
        else:
            self._set_call_event(fields, fds)

    def _set_inflight(self, fields: Fields, fds: Fds) -> None:
        """It passes what it was given, also if that was the flaw of the case."""
        with suppress(RefusedError):
            self._use_inflight(fields, fds)

    def _open_channel(self, _: Fields, fds: Fds) -> None:
        if len(fds) != 1 or not stat.S_ISSOCK(os.fstat(fds[0]).st_mode):
            raise RefusedError("one socket is needed")
        if self.channel is not None:
            self.channel.close()
        self.channel = Link(socket.socket(fileno=fds[0]), Clock(), Side.FRONT_END)

    def _read_config(self, fields: Fields, _: Fds) -> Fields:
        start, size = fields["offset"], fields["size"]
        if start + size > CONFIG_ROOM:
            return {}
        return {**fields, "contents": bytes(self._offer.config[start : start + size])}
