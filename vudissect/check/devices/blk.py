"""A disk: one sector is read."""

from vudissect.check.devices.path import DataPath, Request
from vudissect.check.memory import Arena
from vudissect.rings.blk import SECTOR, Header, Kind, Status


def _read(arena: Arena) -> Request:
    status = arena.buffer(b"\xff", writable=True)
    data = arena.buffer(SECTOR, writable=True)

    def check(_: int) -> str:
        ended = arena.read(status)[0]
        return "" if ended == Status.OK else f"reading a sector ended with status {ended}"

    return Request([arena.buffer(Header(Kind.IN).pack()), data, status], check)


PATH = DataPath("blk", rings=(0,), ring=0, request=_read)
