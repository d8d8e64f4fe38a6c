"""A network device: frames are sent that nobody answers."""

from collections.abc import Callable

from vudissect.check.devices.path import DataPath, Request, fine
from vudissect.check.memory import Arena
from vudissect.rings.net import HEADER_SIZE, frame, packet

_LARGE = 9000
_NO_GSO = 0x33
_PIECES = 4


def _sent(data: bytes) -> Callable[[Arena], Request]:
    return lambda arena: Request([arena.buffer(data)], fine)


def _in_pieces(arena: Arena) -> Request:
    data = packet()
    size = len(data) // _PIECES
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return Request([arena.buffer(piece) for piece in pieces], fine)


_UNKNOWN_GSO = bytes([0, _NO_GSO]) + bytes(HEADER_SIZE - 2) + frame()

PATH = DataPath(
    "net",
    rings=(0, 1),
    ring=1,
    request=_sent(packet()),
    runs_disabled=True,
    requests={
        "a large frame": _sent(packet(_LARGE)),
        "a frame in pieces": _in_pieces,
        "a frame of one byte": _sent(bytes(HEADER_SIZE + 1)),
        "half a header": _sent(bytes(HEADER_SIZE // 2)),
        "an unknown offload": _sent(_UNKNOWN_GSO),
    },
)
