"""A disk: sectors are read and written. What is written is put back by the cases that write."""

from collections.abc import Callable
from struct import Struct

from vudissect.check.devices.path import DataPath, Request, fine
from vudissect.check.memory import Arena
from vudissect.check.queue import Check
from vudissect.rings.blk import HEADER_SIZE, ID_SIZE, SECTOR, Header, Kind, Status
from vudissect.rings.chain import Buffer

AREA = 64
"""The sector at which cases write."""
AREA_BYTES = 4096

_PATTERN = b"vudissect check!" * (AREA_BYTES // 16)
_RANGE = Struct("<QII")
_BEYOND = 1 << 54
_WRAPS = 1 << 55
_NO_KIND = 0x7777
_MANY = 16
_ODD = 100

Make = Callable[[Arena], Request]


def _asked(
    arena: Arena, header: Header, *data: Buffer, wanted: Status | None = Status.OK, more: Check = fine
) -> Request:
    """A request as drivers make it: header, data, one byte of status."""
    status = arena.buffer(b"\xff", writable=True)
    return Request([arena.buffer(header.pack()), *data, status], _ended(arena, status, wanted, more))


def _ended(arena: Arena, status: Buffer, wanted: Status | None, more: Check = fine) -> Check:
    def check(written: int) -> str:
        ended = arena.read(status)[-1]
        if wanted is None:
            return "" if ended in set(Status) else f"the request ended with status {ended}"
        if ended != wanted:
            return f"the request ended with status {ended}, not {wanted}"
        return more(written)

    return check


def read(arena: Arena, sector: int = 0, size: int = SECTOR) -> tuple[Request, Buffer]:
    """Reads some sectors, and where they will be."""
    data = arena.buffer(size, writable=True)
    return _asked(arena, Header(Kind.IN, sector), data), data


def write(arena: Arena, contents: bytes) -> Request:
    """Writes to the area."""
    return _asked(arena, Header(Kind.OUT, AREA), arena.buffer(contents))


def _read(arena: Arena) -> Request:
    return read(arena)[0]


def _read_back(expected: bytes) -> Make:
    def make(arena: Arena) -> Request:
        data = arena.buffer(AREA_BYTES, writable=True)

        def compare(_: int) -> str:
            return "" if arena.read(data) == expected else "what is read is not what was written"

        return _asked(arena, Header(Kind.IN, AREA), data, more=compare)

    return make


def _identity(arena: Arena) -> Request:
    return _asked(arena, Header(Kind.GET_ID), arena.buffer(ID_SIZE, writable=True))


def _range(kind: Kind, sector: int, wanted: Status) -> Make:
    def make(arena: Arena) -> Request:
        data = arena.buffer(_RANGE.pack(sector, AREA_BYTES // SECTOR, 0))
        return _asked(arena, Header(kind), data, wanted=wanted)

    return make


def _failing(kind: int, sector: int, wanted: Status | None, size: int = SECTOR) -> Make:
    def make(arena: Arena) -> Request:
        return _asked(arena, Header(kind, sector), arena.buffer(size, writable=True), wanted=wanted)

    return make


def _nothing(arena: Arena) -> Request:
    return _asked(arena, Header(Kind.IN), wanted=None)


def _status_with_data(arena: Arena) -> Request:
    both = arena.buffer(SECTOR + 1, writable=True)
    return Request([arena.buffer(Header(Kind.IN).pack()), both], _ended(arena, both, Status.OK))


def _header_in_two(arena: Arena) -> Request:
    header = Header(Kind.IN).pack()
    half = HEADER_SIZE // 2
    data, status = arena.buffer(SECTOR, writable=True), arena.buffer(b"\xff", writable=True)
    pieces = [arena.buffer(header[:half]), arena.buffer(header[half:]), data, status]
    return Request(pieces, _ended(arena, status, Status.OK))


def _many_buffers(arena: Arena) -> Request:
    return _asked(arena, Header(Kind.IN), *(arena.buffer(SECTOR, writable=True) for _ in range(_MANY)))


def _short_header(arena: Arena) -> Request:
    status = arena.buffer(b"\xff", writable=True)
    return Request([arena.buffer(Header(Kind.IN).pack()[: HEADER_SIZE // 2]), status], fine)


def _without_status(arena: Arena) -> Request:
    return Request([arena.buffer(Header(Kind.FLUSH).pack())], fine)


def _length(arena: Arena) -> Request:
    data = arena.buffer(SECTOR, writable=True)

    def is_right(written: int) -> str:
        return "" if written == SECTOR + 1 else f"the used ring has a length of {written}, not {SECTOR + 1}"

    return _asked(arena, Header(Kind.IN), data, more=is_right)


PATH = DataPath(
    "blk",
    rings=(0,),
    ring=0,
    request=_read,
    other=1,
    requests={
        "write the pattern": lambda arena: write(arena, _PATTERN),
        "read the pattern": _read_back(_PATTERN),
        "read zeroes": _read_back(bytes(AREA_BYTES)),
        "flush": lambda arena: _asked(arena, Header(Kind.FLUSH)),
        "identity": _identity,
        "discard": _range(Kind.DISCARD, AREA, Status.OK),
        "write zeroes": _range(Kind.WRITE_ZEROES, AREA, Status.OK),
        "discard beyond the end": _range(Kind.DISCARD, _BEYOND, Status.IOERR),
        "read beyond the end": _failing(Kind.IN, _BEYOND, Status.IOERR),
        "read where bytes wrap": _failing(Kind.IN, _WRAPS, Status.IOERR),
        "read nothing": _nothing,
        "status with the data": _status_with_data,
        "unknown request": _failing(_NO_KIND, 0, Status.UNSUPP),
        "read an odd size": _failing(Kind.IN, 0, None, _ODD),
        "header in two": _header_in_two,
        "many buffers": _many_buffers,
        "short header": _short_header,
        "without status": _without_status,
        "length": _length,
    },
)
