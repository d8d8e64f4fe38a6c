"""One section of a pcapng file: its byte order, its interfaces, and the packets in its blocks."""

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from vudissect.capture import blocks
from vudissect.capture.errors import damaged

_MAX_TIME: Final = (1 << 64) - 1
_NANOSECONDS: Final = 9
_MICROSECONDS: Final = 6
# More than any program writes. They are all kept, so a hostile file must not add them without end.
_MAX_INTERFACES: Final = 65536


class Interface(NamedTuple):
    """How the time stamps of an interface count: in units of `numerator / denominator` ns from `offset` s."""

    link_type: int
    numerator: int = 1
    denominator: int = 1
    offset: int = 0

    def nanoseconds(self, stamp: int) -> int:
        """A time stamp as nanoseconds since the epoch, within 64 bits."""
        time = stamp * self.numerator // self.denominator + self.offset * 1_000_000_000
        return min(max(time, 0), _MAX_TIME)


_NATIVE: Final = Interface(blocks.LINK_TYPE_EXPORTED_PDU)


class Packet(NamedTuple):
    """The link type, time stamp (ns since the epoch) and data of a packet."""

    link_type: int
    time: int
    data: bytes


class Block(NamedTuple):
    """A block: its type, the body between its two lengths, and the offset of its first byte in the input."""

    type: int
    body: bytes
    offset: int


class Section:
    """Reads blocks in the byte order of the section; a block that contradicts itself is a `CaptureError`.

    `is_native` is whether all interfaces so far are as vuproxy writes them, including the time stamps.
    """

    def __init__(self, order: str) -> None:
        self.order = order
        self.interfaces: list[Interface] = []
        self.is_native = order == "<"
        self.block_start = Struct(f"{order}II")
        self._description = Struct(f"{order}HHI")
        self._packet = Struct(f"{order}IIIII")
        self._option = Struct(f"{order}HH")
        self._offset = Struct(f"{order}q")

    def add_interface(self, block: Block) -> None:
        """Add the interface of an interface description block."""
        if len(block.body) < self._description.size:
            raise damaged(block.offset, "an interface description is too short")
        if len(self.interfaces) == _MAX_INTERFACES:
            raise damaged(block.offset, f"there are more than {_MAX_INTERFACES} interfaces")
        link_type, _, _ = self._description.unpack_from(block.body)
        resolution, offset = _MICROSECONDS, 0
        for code, value in self._options(block.body, self._description.size):
            if code == blocks.INTERFACE_RESOLUTION and len(value) == 1:
                resolution = value[0]
            elif code == blocks.INTERFACE_OFFSET and len(value) == self._offset.size:
                (offset,) = self._offset.unpack(value)
        interface = Interface(link_type, *_scale(resolution), offset)
        self.interfaces.append(interface)
        self.is_native = self.is_native and interface == _NATIVE

    def packet(self, block: Block) -> Packet:
        """The packet in an enhanced packet block."""
        if len(block.body) < self._packet.size:
            raise damaged(block.offset, "a packet block is too short")
        number, high, low, captured, _ = self._packet.unpack_from(block.body)
        if number >= len(self.interfaces):
            raise damaged(block.offset, f"a packet belongs to interface {number}, which is not described")
        data = block.body[self._packet.size :][:captured]
        if len(data) < captured:
            raise damaged(block.offset, f"a packet of {captured} bytes does not fit its block")
        interface = self.interfaces[number]
        return Packet(interface.link_type, interface.nanoseconds(high << 32 | low), data)

    def _options(self, body: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
        while offset + self._option.size <= len(body):
            code, length = self._option.unpack_from(body, offset)
            offset += self._option.size
            if code == blocks.END_OF_OPTIONS:
                return
            yield code, body[offset : offset + length]
            offset += length + len(blocks.PADDING[length & 3])


def _scale(resolution: int) -> tuple[int, int]:
    """Numerator and denominator that turn units of `if_tsresol` into nanoseconds."""
    exponent = resolution & 0x7F
    if resolution & 0x80:
        return 1_000_000_000, 1 << exponent
    if exponent <= _NANOSECONDS:
        return 10 ** (_NANOSECONDS - exponent), 1
    return 1, 10 ** (exponent - _NANOSECONDS)
