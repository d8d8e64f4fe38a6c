"""A disk: a megabyte of memory, and the requests that a driver makes."""

from struct import Struct

from vudissect.check.reference.fault import Faults
from vudissect.check.reference.models.model import Model
from vudissect.protocol.devices.storage import BLK
from vudissect.protocol.model import Layout
from vudissect.rings.blk import HEADER_SIZE, ID_SIZE, SECTOR, Kind, Status, read_header
from vudissect.rings.chain import Chain
from vudissect.rings.memory import GuestMemory
from vudissect.wire.codec import layout_codec
from vudissect.wire.fields import from_fields

_SECTORS = 2048
_CONFIG_SIZE = 60
_CAPACITY_SIZE = 8
_WRITEBACK_AT = 32
_IDENTITY = b"vudissect-reference"
_RANGE = Struct("<QII")
_MANY_BUFFERS = 10
_WORD = 1 << 64


class Disk(Model):
    """What outlives a connection."""

    rings = 2
    features = BLK.features.mask("SEG_MAX", "BLK_SIZE", "FLUSH", "CONFIG_WCE", "MQ", "DISCARD", "WRITE_ZEROES")

    def __init__(self) -> None:
        super().__init__()
        self.contents = bytearray(_SECTORS * SECTOR)
        layout = Layout(BLK.config.key, BLK.config.fields)
        fields = {"capacity": _SECTORS, "seg_max": 126, "blk_size": SECTOR, "num_queues": 2, "writeback": 1}
        self.config = bytearray(layout_codec(layout, "little").encode(from_fields(layout, fields))[:_CONFIG_SIZE])

    def grow(self) -> None:
        """See `Model`: twice as large."""
        self.contents += bytes(len(self.contents))
        self.config[:_CAPACITY_SIZE] = (len(self.contents) // SECTOR).to_bytes(_CAPACITY_SIZE, "little")

    def writable(self, offset: int, length: int) -> bool:
        """See `Model`: whether the cache writes back."""
        return (offset, length) == (_WRITEBACK_AT, 1)

    def serve(self, ring: int, chain: Chain, memory: GuestMemory, faults: Faults) -> int:
        """See `Model`."""
        data = chain.read(memory)
        header = read_header(data)
        if header is None:
            faults.die_of("BLK-14")
        if not chain.room:
            faults.die_of("BLK-15")
            return 0
        odd = chain.buffers[-1].length != 1 and faults.has("BLK-09")
        apart = chain.buffers[0].length < HEADER_SIZE and faults.has("BLK-12")
        many = len(chain.buffers) > _MANY_BUFFERS and faults.has("BLK-13")
        if header is None or odd or apart or many:
            return self._end(chain, memory, b"", Status.IOERR)
        start = header.sector * SECTOR
        if faults.has("BLK-07"):
            start %= _WORD
        answer, status = self._do(header.kind, start, data[HEADER_SIZE:], chain.room - 1, faults)
        written = self._end(chain, memory, answer, status)
        return 0 if faults.has("BLK-16") else written

    def _end(self, chain: Chain, memory: GuestMemory, answer: bytes, status: Status) -> int:
        return chain.write(memory, answer.ljust(chain.room - 1, b"\0") + bytes([status]))

    def _do(self, kind: int, start: int, data: bytes, room: int, faults: Faults) -> tuple[bytes, Status]:
        if kind == Kind.GET_ID:
            return _IDENTITY.ljust(ID_SIZE, b"\0")[:room], Status.IOERR if faults.has("BLK-03") else Status.OK
        if kind == Kind.FLUSH:
            return b"", Status.UNSUPP if faults.has("BLK-02") else Status.OK
        if kind in (Kind.DISCARD, Kind.WRITE_ZEROES):
            return b"", self._clear(kind, data, faults)
        if kind not in (Kind.IN, Kind.OUT):
            return b"", Status.OK if faults.has("BLK-10") else Status.UNSUPP
        length = room if kind == Kind.IN else len(data)
        if not length:
            faults.die_of("BLK-08")
        if length % SECTOR:
            faults.die_of("BLK-11")
            return b"", Status.IOERR
        if start + length > len(self.contents):
            return b"", Status.OK if faults.has("BLK-06", "BLK-07") else Status.IOERR
        if kind == Kind.IN:
            return bytes(self.contents[start : start + length]), Status.OK
        if not faults.has("BLK-01"):
            self.contents[start : start + length] = data
        return b"", Status.OK

    def _clear(self, kind: int, data: bytes, faults: Faults) -> Status:
        """Sectors that nobody needs any more, or that become zero."""
        if faults.has("BLK-04") and kind == Kind.DISCARD:
            return Status.UNSUPP
        if len(data) != _RANGE.size:
            return Status.IOERR
        sector, count, _ = _RANGE.unpack(data)
        start, end = sector * SECTOR, (sector + count) * SECTOR
        if end > len(self.contents):
            return Status.OK if faults.has("BLK-17") else Status.IOERR
        if not faults.has("BLK-05"):
            self.contents[start:end] = bytes(end - start)
        return Status.OK
