"""An input device: events come from it, and the state of its lights goes to it."""

from collections.abc import Callable
from struct import Struct

from vudissect.check.devices.path import DataPath, Request, fine
from vudissect.check.memory import Arena

_EVENT = Struct("<HHI")
_LED, _CAPS_LOCK = 0x11, 1
_CUT = 3


def _lights(cut: int = 0) -> Callable[[Arena], Request]:
    data = _EVENT.pack(_LED, _CAPS_LOCK, 1)
    return lambda arena: Request([arena.buffer(data[: len(data) - cut])], fine)


def _length(arena: Arena) -> Request:
    data = _EVENT.pack(_LED, _CAPS_LOCK, 0)
    return Request([arena.buffer(data)], lambda written: "" if not written else f"{written} bytes are written to it")


PATH = DataPath(
    "input",
    rings=(0, 1),
    ring=1,
    request=_lights(),
    receives=0,
    requests={"light": _length, "cut event": _lights(_CUT)},
)
