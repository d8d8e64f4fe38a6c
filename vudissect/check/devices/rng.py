"""A source of random numbers: some are asked for."""

from vudissect.check.devices.path import DataPath, Request
from vudissect.check.memory import Arena

_SIZE = 64


def _ask(arena: Arena) -> Request:
    answer = arena.buffer(_SIZE, writable=True)

    def check(written: int) -> str:
        if not 0 < written <= _SIZE:
            return f"{written} bytes were given for the {_SIZE} that were asked for"
        return "" if any(arena.read(answer)) or written < 8 else f"{written} bytes, all of them zero"

    return Request([answer], check)


PATH = DataPath("rng", rings=(0,), ring=0, request=_ask)
