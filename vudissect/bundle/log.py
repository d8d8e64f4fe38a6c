"""The last lines of the log of a program."""

from collections import deque
from typing import Final

_MOST_LINES: Final = 500
_LONGEST: Final = 2000


class LastLines:
    """Keeps the last lines of a text that comes in parts; of a very long line only the beginning."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._partial = b""

    def add(self, data: bytes) -> list[str]:
        """The lines that this part has completed."""
        *complete, self._partial = (self._partial + data).split(b"\n")
        self._partial = self._partial[:_LONGEST]
        lines = [line[:_LONGEST].decode(errors="backslashreplace").rstrip("\r") for line in complete]
        self._lines.extend(lines)
        return lines

    @property
    def text(self) -> str:
        """All that is kept."""
        rest = [self._partial.decode(errors="backslashreplace")] if self._partial else []
        return "".join(f"{line}\n" for line in (*self._lines, *rest))
