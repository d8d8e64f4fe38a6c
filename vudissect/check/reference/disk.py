"""The disk: a megabyte of memory, and the requests that a driver makes."""

from vudissect.protocol.devices.storage import BLK
from vudissect.protocol.model import Layout
from vudissect.rings.blk import HEADER_SIZE, ID_SIZE, SECTOR, Kind, Status, read_header
from vudissect.rings.chain import Chain
from vudissect.rings.memory import GuestMemory
from vudissect.wire.codec import layout_codec
from vudissect.wire.fields import from_fields

_SECTORS = 2048
CONFIG_SIZE = 60
WRITEBACK_AT = 32
_IDENTITY = b"vudissect-reference"


class Disk:
    """What outlives a connection."""

    def __init__(self) -> None:
        self.contents = bytearray(_SECTORS * SECTOR)
        layout = Layout(BLK.config.key, BLK.config.fields)
        fields = {"capacity": _SECTORS, "seg_max": 126, "blk_size": SECTOR, "num_queues": 2, "writeback": 1}
        self.config = bytearray(layout_codec(layout, "little").encode(from_fields(layout, fields))[:CONFIG_SIZE])

    def serve(self, chain: Chain, memory: GuestMemory) -> int:
        """Do a request; how many bytes were written. `RingError` for buffers outside of memory."""
        data = chain.read(memory)
        header = read_header(data)
        if header is None or not chain.room:
            return chain.write(memory, bytes([Status.IOERR])) if chain.room else 0
        answer, status = self._do(header.kind, header.sector * SECTOR, data[HEADER_SIZE:], chain.room - 1)
        return chain.write(memory, answer.ljust(chain.room - 1, b"\0") + bytes([status]))

    def _do(self, kind: int, start: int, data: bytes, room: int) -> tuple[bytes, Status]:
        if kind == Kind.GET_ID:
            return _IDENTITY.ljust(ID_SIZE, b"\0")[:room], Status.OK
        if kind == Kind.FLUSH:
            return b"", Status.OK
        if kind not in (Kind.IN, Kind.OUT):
            return b"", Status.UNSUPP
        end = start + (room if kind == Kind.IN else len(data))
        if end > len(self.contents):
            return b"", Status.IOERR
        if kind == Kind.IN:
            return bytes(self.contents[start:end]), Status.OK
        self.contents[start:end] = data
        return b"", Status.OK
