"""How text looks where it is shown: in colour or not, and how wide."""

import os
import shutil
from typing import TextIO


class Style:
    """Wraps text in colour, or leaves it unchanged. `width` is in columns, 0 where lines may have any length."""

    def __init__(self, colour: bool, width: int = 0) -> None:
        self._colour = colour
        self.width = width

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def dim(self, text: str) -> str:
        """Secondary text."""
        return self._paint("2", text)

    def name(self, text: str) -> str:
        """The name of a request."""
        return self._paint("1", text)

    def reply(self, text: str) -> str:
        """The name of a reply."""
        return self._paint("36", text)

    def warning(self, text: str) -> str:
        """Something suspicious."""
        return self._paint("33", text)

    def bad(self, text: str) -> str:
        """Something wrong."""
        return self._paint("1;31", text)


def style_for(stream: TextIO, colour: bool | None = None) -> Style:
    """The style of a stream: only a terminal has a width, which COLUMNS overrides.

    Without another choice it also has colour, unless NO_COLOR is set, and others only with FORCE_COLOR.
    """
    is_terminal = stream.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else 0
    return Style(_has_colour(is_terminal) if colour is None else colour, width)


def _has_colour(is_terminal: bool) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (is_terminal and os.environ.get("TERM") != "dumb")
