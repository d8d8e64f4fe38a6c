"""One end of a channel on a real socket: sends and receives whole messages by name, with their descriptors."""

import os
import socket
import time
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple, Self

from vudissect.protocol.model import Channel, Layout, Row, Side
from vudissect.protocol.payloads import ACK
from vudissect.protocol.table import UPSTREAM, Protocol
from vudissect.replay.stream import SocketStream, StreamError
from vudissect.wire.codec import Codec, WireMessage
from vudissect.wire.fields import Fields, from_fields, to_fields

_NO_FIELDS: Mapping[str, Any] = MappingProxyType({})


class PeerError(RuntimeError):
    """The other side did something unexpected; one line."""


class Received(NamedTuple):
    """A received message; the caller owns the descriptors."""

    message: WireMessage
    descriptors: tuple[int, ...]

    @property
    def fields(self) -> Fields:
        """The payload by field name; empty if it could not be decoded."""
        return to_fields(self.message.layout, self.message.values)

    def close(self) -> None:
        """Close the descriptors."""
        for descriptor in self.descriptors:
            os.close(descriptor)


class Peer:
    """Plays `side` on `channel`. Nothing waits longer than `timeout` seconds: then it is a `PeerError`."""

    def __init__(
        self,
        sock: socket.socket,
        side: Side,
        channel: Channel = Channel.MAIN,
        *,
        protocol: Protocol = UPSTREAM,
        timeout: float = 10.0,
    ) -> None:
        self._stream = SocketStream(sock)
        self._timeout = timeout
        self._other = Side.BACK_END if side is Side.FRONT_END else Side.FRONT_END
        self._channel = channel
        self._protocol = protocol
        self._codec = Codec(protocol, "little")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def send(
        self,
        name: str,
        fields: Mapping[str, Any] = _NO_FIELDS,
        *,
        layout: Layout | None = None,
        descriptors: tuple[int, ...] = (),
        need_reply: bool = False,
    ) -> None:
        """Send a request, by default in its specified layout."""
        row = self._row(name)
        layout = layout or row.request[0]
        values = from_fields(layout, fields, row.name)
        self._send(self._codec.encode(row, layout, values, need_reply=need_reply), descriptors)

    def ask(self, name: str, fields: Mapping[str, Any] = _NO_FIELDS, **options: Any) -> Received:
        """Send a request and wait for its answer."""
        self.send(name, fields, **options)
        answer = self.receive()
        if answer.message.id != self._row(name).id or not answer.message.reply:
            raise PeerError(f"expected the answer to {name}, got message {answer.message.id}")
        return answer

    def reply(
        self,
        request: WireMessage,
        fields: Mapping[str, Any] = _NO_FIELDS,
        *,
        layout: Layout | None = None,
        descriptors: tuple[int, ...] = (),
    ) -> None:
        """Answer a request with its explicit reply."""
        if not request.row.known:
            raise PeerError(f"message {request.id} is unknown, and so is its reply")
        layout = layout or request.row.reply[0]
        values = from_fields(layout, fields, request.row.name)
        self._send(self._codec.encode(request.row, layout, values, reply=True), descriptors)

    def acknowledge(self, request: WireMessage, result: int = 0) -> None:
        """Acknowledge a request with NEED_REPLY."""
        self.reply(request, {ACK.fields[0].name: result}, layout=ACK)

    def receive(self) -> Received:
        """The next message. `PeerError` if the other side has closed, or sends nothing in time."""
        try:
            raw = self._stream.receive(time.monotonic() + self._timeout, "little")
        except StreamError as error:
            raise PeerError(str(error)) from None
        return Received(self._codec.decode(self._channel, self._other, raw.data), raw.descriptors)

    def _row(self, name: str) -> Row:
        for row in self._protocol.find(name):
            if row.channel is self._channel:
                return row
        raise ValueError(f"no message {name} on the {self._channel.label} channel")

    def _send(self, data: bytes, descriptors: tuple[int, ...]) -> None:
        try:
            self._stream.send(data, descriptors, time.monotonic() + self._timeout)
        except StreamError as error:
            raise PeerError(str(error)) from None
