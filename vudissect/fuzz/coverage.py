"""Which edges of its code a program has passed: a map that the program itself writes, as programs do for AFL.

A program that is built for it finds the number of the map in its environment, and marks a byte for each edge: one that
afl-cc has built, or one with `coverage.c`. All others leave it empty.
"""

from collections.abc import Iterator
from pathlib import Path

from vudissect.host.shared_segment import SharedSegment

RUNTIME = Path(__file__).with_name("coverage.c")
"""What a program is linked with that a compiler without AFL builds."""

Edges = frozenset[int]

_SIZE = 1 << 20
# Larger pieces are slower: memory is mapped for each.
_PIECE = 1 << 14
# How often does not count: a program that polls passes some edges more often if it has more time.
_ONCE = bytes([0]) + bytes([1]) * 255


class Coverage:
    """The map of one program, which is started with `environment`."""

    def __init__(self) -> None:
        try:
            self._map = SharedSegment(_SIZE)
        except OSError:
            # Where there is no such memory, nothing is seen, as of a program that is not built for it.
            self._contents, self.environment = memoryview(bytearray(_SIZE)), {}
        else:
            self._contents = self._map.contents
            self.environment = {"__AFL_SHM_ID": str(self._map.id), "AFL_MAP_SIZE": str(_SIZE)}

    def clear(self) -> None:
        """Forget what it has passed so far."""
        self._contents[:] = bytes(_SIZE)

    def edges(self) -> Edges:
        """The edges that it has passed, by their places in the map."""
        pieces = ((start, bytes(self._contents[start : start + _PIECE])) for start in range(0, _SIZE, _PIECE))
        return frozenset(start + place for start, piece in pieces for place in _marked(piece.translate(_ONCE)))


def _marked(piece: bytes) -> Iterator[int]:
    at = piece.find(1)
    while at >= 0:
        yield at
        at = piece.find(1, at + 1)
