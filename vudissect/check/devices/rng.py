"""A source of random numbers: some are asked for."""

from collections.abc import Callable

from vudissect.check.devices.path import DataPath, Request, fine
from vudissect.check.memory import Arena
from vudissect.rings.chain import Buffer

_SIZE = 64
_LARGE = 65536
_FEW = 8


def _problem(arena: Arena, answer: Buffer, written: int) -> str:
    if not 0 < written <= answer.length:
        return f"{written} bytes were given for the {answer.length} that were asked for"
    return "" if any(arena.read(answer)) or written < _FEW else f"{written} bytes, all of them zero"


def _ask(size: int) -> Callable[[Arena], Request]:
    def make(arena: Arena) -> Request:
        answer = arena.buffer(size, writable=True)
        return Request([answer], lambda written: _problem(arena, answer, written))

    return make


def _varied(arena: Arena) -> Request:
    answer = arena.buffer(_SIZE, writable=True)

    def check(written: int) -> str:
        same = len(set(arena.read(answer)[:written])) == 1
        return _problem(arena, answer, written) or (f"{written} bytes, all of them the same" if same else "")

    return Request([answer], check)


PATH = DataPath(
    "rng",
    rings=(0,),
    ring=0,
    request=_ask(_SIZE),
    requests={
        "one byte": _ask(1),
        "64 KiB": _ask(_LARGE),
        "nothing to write to": lambda arena: Request([arena.buffer(bytes(_FEW))], fine),
        "varied": _varied,
    },
)
