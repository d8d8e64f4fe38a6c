"""QEMU's binary traces (simpletrace), as lines of its log. Written from the files: docs/import.md describes them."""

from collections.abc import Iterator
from struct import Struct, error
from typing import Final

from vudissect.sources.errors import SourceError
from vudissect.sources.strace import SECOND

_ID: Final = Struct("=Q")
_HEADER: Final = Struct("=QQQ")
_MAPPING: Final = Struct("=QI")
_EVENT: Final = Struct("=QQII")
_HEADER_EVENT: Final = 0xFFFF_FFFF_FFFF_FFFF
_MAGIC: Final = 0xF2B1_77CB_0AA4_29B4
_VERSION: Final = 4
_MAPS, _HAPPENED = 0, 1
_START: Final = _HEADER.pack(_HEADER_EVENT, _MAGIC, 0)[:16]
_WRITES, _READS = "vhost_user_write", "vhost_user_read"
_TWO_ARGUMENTS: Final = 16
_LENGTH: Final = Struct("=I")


def is_simpletrace(data: bytes) -> bool:
    """Whether a file begins as such a trace."""
    return data.startswith(_START)


def lines_of_trace(data: bytes) -> Iterator[str]:
    """The events about messages as QEMU logs them; what comes after damage is left out.

    `SourceError` for a version that has no names.
    """
    _, _, version = _HEADER.unpack_from(data.ljust(_HEADER.size, b"\0"))
    if version < _VERSION:
        raise SourceError(f"a trace of version {version} does not have the names of its events: use QEMU 2.9 or newer")
    names: dict[int, str] = {}
    place = _HEADER.size
    try:
        while place < len(data):
            (kind,) = _ID.unpack_from(data, place)
            place += _ID.size
            if kind == _MAPS:
                number, length = _MAPPING.unpack_from(data, place)
                place += _MAPPING.size
                names[number] = data[place : place + length].decode(errors="replace")
                place += length
            elif kind == _HAPPENED:
                number, time, length, thread = _EVENT.unpack_from(data, place)
                arguments = data[place + _EVENT.size : place + length]
                if not _EVENT.size <= length <= len(data) - place:
                    return
                place += length
                if names.get(number) in (_WRITES, _READS):
                    request, flags = _numbers(arguments)
                    when = f"{time // SECOND}.{time % SECOND:09}"
                    yield f"{thread}@{when}:{names[number]} req:{request} flags:{flags:#x}"
            else:
                return
    except error:
        return


def _numbers(arguments: bytes) -> tuple[int, int]:
    """Message and flags; newer releases have the name of the message between them."""
    (request,) = _ID.unpack_from(arguments)
    if len(arguments) == _TWO_ARGUMENTS:
        return request, _ID.unpack_from(arguments, _ID.size)[0]
    (length,) = _LENGTH.unpack_from(arguments, _ID.size)
    return request, _ID.unpack_from(arguments, _ID.size + _LENGTH.size + length)[0]
