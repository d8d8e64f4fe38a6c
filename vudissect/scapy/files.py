"""Reading and writing captures without the losses of scapy's own functions: long packets, nanoseconds, interfaces."""

import os
from collections.abc import Iterable
from decimal import Decimal
from struct import Struct
from typing import Any

from scapy import utils
from scapy.packet import Packet, Raw
from scapy.plist import PacketList

from vudissect import __version__
from vudissect.capture import blocks
from vudissect.capture.blocks import MAX_PACKET
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.keys import without_keys
from vudissect.capture.record import Mark, RecordKind
from vudissect.host.output import write_private
from vudissect.protocol.model import Channel
from vudissect.scapy.record import ExportedPduTags, RecordHeader

# Interface, time (high, low), captured and original length.
_PACKET = Struct("<IIIII")
_NANOSECONDS = 1_000_000_000


class PcapReader(utils.PcapReader):
    """Reads a capture packet by packet; scapy's own reader cuts packets at 65535 bytes, which pixels exceed."""

    def read_packet(self, size: int = MAX_PACKET, **kwargs: Any) -> Packet:
        """The next packet; `EOFError` at the end."""
        return super().read_packet(size, **kwargs)


class PcapNgReader(utils.PcapNgReader):
    """The same for pcapng; `PcapReader` selects it automatically."""

    alternative = PcapReader

    def read_packet(self, size: int = MAX_PACKET, **kwargs: Any) -> Packet:
        """The next packet; `EOFError` at the end."""
        return super().read_packet(size, **kwargs)


def rdpcap(filename: str, count: int = -1) -> PacketList:
    """All packets of a capture, or the first `count`."""
    with PcapReader(filename) as reader:
        return reader.read_all(count=count)


def wrpcap(filename: str, packets: Iterable[Packet] | Packet, *, keep_keys: bool = False, **arguments: Any) -> None:
    """Write packets; messages and events as a capture for vudissect, whatever the name of the file is.

    A record without tags gets them. Key material is replaced by zeros unless `keep_keys` is set. If any packet is
    of another kind, scapy's own `wrpcap` writes all of them with these `arguments`.
    """
    given = [packets] if isinstance(packets, Packet) else list(packets)
    if not keep_keys:
        given = [_without_keys(packet) for packet in given]
    wrapped = [_export(packet) if isinstance(packet, RecordHeader) else packet for packet in given]
    if arguments or not all(isinstance(packet, ExportedPduTags) for packet in wrapped):
        utils.wrpcap(filename, given, **arguments)
        return
    preamble = CaptureEncoder(f"vudissect {__version__}", "scapy", MAX_PACKET, 0).preamble()
    write_private(os.fspath(filename), b"".join([preamble, *map(_block, wrapped)]))


def _export(record: Packet) -> Packet:
    packet = ExportedPduTags() / record
    packet.time = record.time
    return packet


def _without_keys(packet: Packet) -> Packet:
    """The packet of a message as it may be stored; unchanged if it has no key material."""
    has_tags = not isinstance(packet, RecordHeader)
    record = packet.payload if has_tags else packet
    if not isinstance(record, RecordHeader) or record.channel not in tuple(Channel):
        return packet
    message = bytes(record.payload)
    stored = without_keys(Channel(record.channel), message)
    if record.kind != RecordKind.MESSAGE or stored is message:
        return packet
    copy = packet.copy()
    record = copy.payload if has_tags else copy
    record.remove_payload()
    record.add_payload(Raw(stored))
    record.marks |= Mark.KEYS_MASKED
    return copy


def _block(packet: Packet) -> bytes:
    data = bytes(packet)
    record = packet.payload
    channel = record.channel if isinstance(record, RecordHeader) and record.channel in tuple(Channel) else 0
    # A float is too coarse for nanoseconds; times read by scapy are decimal numbers.
    stamp = int(Decimal(packet.time) * _NANOSECONDS)
    head = _PACKET.pack(channel, stamp >> 32, stamp & 0xFFFF_FFFF, len(data), max(packet.wirelen or 0, len(data)))
    comments = [(blocks.COMMENT, bytes(comment)) for comment in packet.comments or ()]
    options = blocks.options(*comments) if comments else b""
    return blocks.block(blocks.ENHANCED_PACKET, head + data + blocks.PADDING[len(data) & 3] + options)
