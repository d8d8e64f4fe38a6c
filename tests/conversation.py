"""Writing what two peers said, as records of a capture.

talk = Conversation()
talk.front_end("GET_FEATURES")
talk.back_end("GET_FEATURES", features=0)
"""

import io
from collections.abc import Mapping
from typing import Any

from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.session.event import Event
from vudissect.session.session import Session
from vudissect.spec.model import Channel, Layout, Message, Side
from vudissect.spec.payloads import ACK
from vudissect.spec.table import UPSTREAM
from vudissect.wire.codec import Codec
from vudissect.wire.fields import from_fields
from vudissect.wire.header import ByteOrder

EPOCH = 1_700_000_000_000_000_000
MILLISECOND = 1_000_000


def memfd(name: str = "pc.ram", size: int = 64 << 20) -> Descriptor:
    return Descriptor(DescriptorKind.MEMFD, f"1:{name}", size, 4096, 2, 2, f"/memfd:{name} (deleted)")


def eventfd(number: int) -> Descriptor:
    return Descriptor(DescriptorKind.EVENTFD, f"eventfd:{number}", flags=2, name="anon_inode:[eventfd]")


class Conversation:
    """Collects records; every message comes one millisecond after the one before it."""

    def __init__(self, byte_order: ByteOrder = "little") -> None:
        self._codec = Codec(UPSTREAM, byte_order)
        self._marks = Mark.BIG_ENDIAN if byte_order == "big" else Mark(0)
        self.records: list[Record] = []

    def front_end(self, name: str, channel: Channel = Channel.MAIN, **options: Any) -> None:
        """The front-end says something: a request on the main channel, else a reply."""
        self._say(Side.FRONT_END, name, channel, **options)

    def back_end(self, name: str, channel: Channel = Channel.MAIN, **options: Any) -> None:
        """The back-end says something: a reply on the main channel, else a request."""
        self._say(Side.BACK_END, name, channel, **options)

    def ask(self, name: str, channel: Channel = Channel.MAIN, /, **answer: Any) -> None:
        """A question without contents, and its answer."""
        self._say(channel.initiator, name, channel)
        other = Side.BACK_END if channel.initiator is Side.FRONT_END else Side.FRONT_END
        self._say(other, name, channel, **answer)

    def raw(self, side: Side, data: bytes, channel: Channel = Channel.MAIN, **options: Any) -> None:
        """Any bytes."""
        self._record(RecordKind.MESSAGE, side, channel, data, **options)

    def event(
        self, kind: RecordKind, channel: Channel = Channel.MAIN, connection: int = 1, **details: str | int
    ) -> None:
        """Something that the proxy noted."""
        self._record(kind, Side.PROXY, channel, b"", connection=connection, details=details)

    def events(self, **options: Any) -> list[Event]:
        """What a session makes of it all."""
        return list(Session(**options).events(self.records))

    def capture(self) -> bytes:
        """The conversation as a capture file."""
        encoder = CaptureEncoder("tests", "tests", 65536, EPOCH)
        return encoder.preamble() + b"".join(encoder.record(record) for record in self.records)

    def _say(
        self,
        side: Side,
        name: str,
        channel: Channel,
        *fds: Descriptor,
        layout: Layout | None = None,
        ack: int | None = None,
        need_reply: bool = False,
        descriptors: tuple[Descriptor, ...] = (),
        connection: int = 1,
        **fields: Any,
    ) -> None:
        row = self._row(name, channel)
        reply = side is not channel.initiator
        if ack is not None:
            layout, fields = ACK, {"result": ack}
        layout = layout or (row.reply if reply else row.request)[0]
        data = self._codec.encode(row, layout, from_fields(layout, fields), reply=reply, need_reply=need_reply)
        self._record(RecordKind.MESSAGE, side, channel, data, descriptors=descriptors, connection=connection)

    @staticmethod
    def _row(name: str, channel: Channel) -> Message:
        return next(row for row in UPSTREAM.find(name) if row.channel is channel)

    def _record(
        self,
        kind: RecordKind,
        side: Side,
        channel: Channel,
        data: bytes,
        *,
        descriptors: tuple[Descriptor, ...] = (),
        connection: int = 1,
        marks: int = 0,
        length: int | None = None,
        details: Mapping[str, str | int] | None = None,
    ) -> None:
        frame = len(self.records) + 1
        now = frame * MILLISECOND
        self.records.append(
            Record(
                kind,
                connection,
                channel,
                side,
                frame,
                now,
                now + 1000,
                EPOCH + now,
                len(data) if length is None else length,
                data,
                Mark(self._marks | marks),
                descriptors,
                details or {},
                frame,
            )
        )


def read_back(capture: bytes) -> list[Record]:
    return list(read_capture(io.BytesIO(capture)))
