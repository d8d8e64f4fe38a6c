"""Encodes records as blocks of a pcapng file. `packet` has the contents of packets; `reader` reads them."""

import platform
from collections.abc import Mapping
from struct import Struct

from vudissect.capture import blocks
from vudissect.capture.keys import KEY_STARTS, NO_KEYS_UP_TO, masked
from vudissect.capture.packet import (
    ADDRESSES,
    MAX_MESSAGE,
    PLAIN,
    PLAIN_SHAPES,
    PROXY_ADDRESS,
    pack,
)
from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.host.descriptor import Descriptor
from vudissect.host.text import escaped
from vudissect.protocol.model import Channel, Side

# Block type, total length, interface, time (high, low), captured and original length; see `blocks` and `packet`.
_PACKET = Struct("<IIIIIII")
_TRAILER = Struct("<I")
_OVERHEAD = _PACKET.size + _TRAILER.size

# The same, then a plain message up to its bytes.
_MESSAGE = Struct(_PACKET.format + PLAIN.format.removeprefix("<"))
_FRONT = PLAIN.size
# The same in three parts: messages in a row that are alike differ only in the sequence.
_SEQUENCE = Struct("<Q")
_BEHIND_SEQUENCE = Struct("<QQQ")
_BEFORE_SEQUENCE = Struct(_MESSAGE.format.removesuffix("QQQQ"))
_MESSAGE_OVERHEAD = _MESSAGE.size + _TRAILER.size
_NO_STARTS: tuple[frozenset[bytes], ...] = tuple(frozenset() for _ in Channel)
# By length of the data modulo 4.
_TRAILERS = tuple(Struct(f"<{len(padding)}xI").pack for padding in blocks.PADDING)

_MAX_COMMENT = 400
# Wireshark's limit; the record header has the true length of a message.
_MAX_LENGTH = 0x7FFF_FFFF

_EVENT_TEXTS = {
    RecordKind.CONNECTION_OPENED: "connection {} opened",
    RecordKind.CONNECTION_CLOSED: "connection {} closed",
    RecordKind.CHANNEL_OPENED: "connection {}: {} channel opened",
    RecordKind.CHANNEL_CLOSED: "connection {}: {} channel closed",
    RecordKind.GAP: "connection {}: capture gap",
    RecordKind.NOTE: "connection {}: note",
    RecordKind.RING_OBSERVED: "connection {}: ring observed",
    RecordKind.CONTINUED: "the capture continues",
    RecordKind.FAULT: "connection {}: fault",
}

_CHANNEL_DESCRIPTIONS = {
    Channel.MAIN: "the socket between front-end and back-end",
    Channel.BACKEND: "the back-end channel, handed over in a message of the main channel",
    Channel.GPU: "the vhost-user-gpu channel, handed over in a message of the main channel",
}


class CaptureEncoder:
    """Makes the bytes of a capture: `preamble` once, then one block for each message and event.

    `snaplen` is the most bytes of a message to keep; `epoch_offset` is nanoseconds since the epoch minus the
    monotonic clock, for the time stamps. Key material is left out unless `keep_keys` is set.
    """

    def __init__(
        self, application: str, command: str, snaplen: int, epoch_offset: int, *, keep_keys: bool = False
    ) -> None:
        self._application = application
        self._command = command
        self._snaplen = min(snaplen, MAX_MESSAGE)
        self._epoch_offset = epoch_offset
        self._key_starts = _NO_STARTS if keep_keys else KEY_STARTS

    def preamble(self) -> bytes:
        """The section header, an interface for each channel, and the names of the addresses."""
        system = platform.uname()
        section = Struct("<IHHq").pack(blocks.BYTE_ORDER_MAGIC, 1, 0, -1) + blocks.options(
            (blocks.SECTION_OS, f"{system.system} {system.release} {system.machine}".encode()),
            (blocks.SECTION_APPLICATION, self._application.encode(errors="backslashreplace")),
            (blocks.COMMENT, self._command.encode(errors="backslashreplace")),
        )
        names = blocks.names((*ADDRESSES.values(), PROXY_ADDRESS))
        # The names come last: editcap refuses a file that has them before the interfaces.
        return b"".join(
            (
                blocks.block(blocks.SECTION_HEADER, section),
                *(blocks.block(blocks.INTERFACE_DESCRIPTION, _interface(channel)) for channel in Channel),
                blocks.block(blocks.NAME_RESOLUTION, names),
            )
        )

    def message(
        self,
        connection: int,
        channel: Channel,
        sender: Side,
        sequence: int,
        received: int,
        forwarded: int,
        data: bytes,
        length: int,
        marks: int = 0,
        descriptors: tuple[Descriptor, ...] = (),
    ) -> bytes:
        """A message of `length` bytes on the wire that begins with `data`; times are monotonic, in ns."""
        captured = len(data)
        if descriptors or captured > self._snaplen or data[:4] in self._key_starts[channel]:
            return self.record(
                Record(
                    RecordKind.MESSAGE,
                    connection,
                    channel,
                    sender,
                    sequence,
                    received,
                    forwarded,
                    received + self._epoch_offset,
                    length,
                    data[: self._snaplen],
                    Mark(marks),
                    descriptors,
                )
            )
        stamp = received + self._epoch_offset
        total = (captured + _MESSAGE_OVERHEAD + 3) & ~3
        return (
            _MESSAGE.pack(
                blocks.ENHANCED_PACKET,
                total,
                channel,
                stamp >> 32,
                stamp & 0xFFFF_FFFF,
                captured + _FRONT,
                captured + _FRONT if captured == length else min(max(length, captured) + _FRONT, _MAX_LENGTH),
                PLAIN_SHAPES[channel][sender],
                marks,
                connection,
                0,
                sequence,
                received,
                forwarded,
                length,
            )
            + data
            + _TRAILERS[captured & 3](total)
        )

    def messages(
        self,
        connection: int,
        channel: Channel,
        sender: Side,
        sequence: int,
        received: int,
        forwarded: int,
        messages: list[bytes],
        marks: int = 0,
    ) -> list[bytes]:
        """Complete messages without descriptors that came in a row, numbered from `sequence`.

        Under load this dominates the cost of recording. Packing what they have in common once takes a third of the
        time.
        """
        stamp = received + self._epoch_offset
        join, pack_sequence = b"".join, _SEQUENCE.pack
        snaplen, key_starts = self._snaplen, self._key_starts[channel]
        records: list[bytes] = []
        size, plain = -1, True
        before = between = trailer = b""
        for data in messages:
            if len(data) != size:
                size = len(data)
                plain = size <= snaplen and (size <= NO_KEYS_UP_TO or not key_starts)
                total = (size + _MESSAGE_OVERHEAD + 3) & ~3
                before = _BEFORE_SEQUENCE.pack(
                    blocks.ENHANCED_PACKET,
                    total,
                    channel,
                    stamp >> 32,
                    stamp & 0xFFFF_FFFF,
                    size + _FRONT,
                    size + _FRONT,
                    PLAIN_SHAPES[channel][sender],
                    marks,
                    connection,
                    0,
                )
                between = _BEHIND_SEQUENCE.pack(received, forwarded, size)
                trailer = _TRAILERS[size & 3](total)
            if plain or (size <= snaplen and data[:4] not in key_starts):
                records.append(join((before, pack_sequence(sequence), between, data, trailer)))
            else:
                records.append(
                    self.message(connection, channel, sender, sequence, received, forwarded, data, size, marks)
                )
            sequence += 1
        return records

    def event(
        self,
        kind: RecordKind,
        connection: int,
        channel: Channel,
        sequence: int,
        when: int,
        details: Mapping[str, str | int],
    ) -> bytes:
        """An event that the proxy noted; `when` is monotonic, in ns."""
        time = when + self._epoch_offset
        return self.record(
            Record(kind, connection, channel, Side.PROXY, sequence, when, when, time, 0, b"", details=details)
        )

    def record(self, record: Record) -> bytes:
        """The block of a record, with the record's own time; the frame number is not stored."""
        if record.data[:4] in self._key_starts[record.channel]:
            record = masked(record)
        data, original = pack(record)
        comment = _comment(record)
        options = blocks.options((blocks.COMMENT, comment.encode())) if comment else b""
        padding = blocks.PADDING[len(data) & 3]
        total = len(data) + len(padding) + len(options) + _OVERHEAD
        front = _PACKET.pack(
            blocks.ENHANCED_PACKET,
            total,
            record.channel,
            record.time >> 32,
            record.time & 0xFFFF_FFFF,
            len(data),
            min(original, _MAX_LENGTH),
        )
        return front + data + padding + options + _TRAILER.pack(total)


def _interface(channel: Channel) -> bytes:
    return Struct("<HHI").pack(blocks.LINK_TYPE_EXPORTED_PDU, 0, blocks.MAX_PACKET) + blocks.options(
        (blocks.INTERFACE_NAME, channel.label.encode()),
        (blocks.INTERFACE_DESCRIPTION_TEXT, _CHANNEL_DESCRIPTIONS[channel].encode()),
        (blocks.INTERFACE_RESOLUTION, b"\x09"),
    )


def _comment(record: Record) -> str:
    """One line about a record for people without the plugin; "" for plain messages."""
    if record.kind is RecordKind.MESSAGE:
        if not record.descriptors:
            return ""
        count = len(record.descriptors)
        what = f"{count} descriptor{'s' if count > 1 else ''}"
        facts = [_descriptor_text(descriptor) for descriptor in record.descriptors]
    else:
        what = _EVENT_TEXTS[record.kind].format(record.connection, record.channel.label)
        facts = [f"{name.replace('_', ' ')} {value}" for name, value in record.details.items()]
    text = f"{what}: {', '.join(facts)}" if facts else what
    text = escaped(text)
    return text if len(text) <= _MAX_COMMENT else text[: _MAX_COMMENT - 1] + "…"


def _descriptor_text(descriptor: Descriptor) -> str:
    size = f" of {descriptor.size} bytes" if descriptor.size else ""
    name = f" {descriptor.name}" if descriptor.name else ""
    return f"{descriptor.kind.label}{size}{name}"
