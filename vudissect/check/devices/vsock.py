"""Sockets between host and guest: packets to a port on which nobody listens."""

from collections.abc import Callable

from vudissect.check.devices.path import DataPath, Request, fine
from vudissect.check.memory import Arena
from vudissect.rings.vsock import HEADER_SIZE, Header, Operation, read_header

_FROM, _TO = 1025, 0x7654_3210
_ROOM = 4096
_NO_OPERATION, _NO_KIND = 99, 99
_DATA = b"vudissect"


def _sent(header: Header, data: bytes = b"") -> Callable[[Arena], Request]:
    return lambda arena: Request([arena.buffer(header.pack() + data)], fine)


def _packet(operation: int, **more: int) -> Header:
    return Header(operation, _FROM, _TO, **more)


def _reset(arena: Arena) -> Request:
    """Room for a packet, which must be a reset of what was sent."""
    room = arena.buffer(_ROOM, writable=True)

    def check(written: int) -> str:
        came = read_header(arena.read(room)[:written])
        if came is None:
            return f"a packet of {written} bytes"
        if came.operation != Operation.RST:
            return f"a packet with operation {came.operation} comes, not a reset"
        ports = came.source_port, came.target_port
        return "" if ports == (_TO, _FROM) else f"a reset comes from port {ports[0]} to port {ports[1]}"

    return Request([room], check)


PATH = DataPath(
    "vsock",
    rings=(0, 1, 2),
    ring=1,
    request=_sent(_packet(Operation.RST)),
    receives=0,
    requests={
        "a reset": _reset,
        "connect": _sent(_packet(Operation.REQUEST)),
        "data": _sent(_packet(Operation.RW, length=len(_DATA)), _DATA),
        "unknown operation": _sent(_packet(_NO_OPERATION)),
        "half a header": lambda arena: Request([arena.buffer(bytes(HEADER_SIZE // 2))], fine),
        "reset": _sent(_packet(Operation.RST)),
        "unknown type": _sent(_packet(Operation.REQUEST, kind=_NO_KIND)),
    },
)
