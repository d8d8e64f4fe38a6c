"""A console: characters are written to it, and may come back."""

from vudissect.check.devices.path import DataPath, Request, fine
from vudissect.check.memory import Arena

_TEXT = b"vudissect check\r\n"
_MUCH = 16384


def _write(arena: Arena) -> Request:
    return Request([arena.buffer(_TEXT)], fine)


def _length(arena: Arena) -> Request:
    return Request([arena.buffer(_TEXT)], lambda written: "" if not written else f"{written} bytes are written to it")


def _echo(arena: Arena) -> Request:
    room = arena.buffer(len(_TEXT), writable=True)
    return Request([room], lambda written: "" if arena.read(room)[:written] else "an empty buffer comes")


PATH = DataPath(
    "console",
    rings=(0, 1),
    ring=1,
    request=_write,
    receives=0,
    requests={
        "text": _length,
        "nothing to read": lambda arena: Request([arena.buffer(len(_TEXT), writable=True)], fine),
        "16 KiB": lambda arena: Request([arena.buffer(_TEXT.ljust(_MUCH, b"."))], fine),
        "echo": _echo,
    },
)
