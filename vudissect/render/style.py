"""Colour, if the output is a terminal."""

import os
from typing import TextIO


class Style:
    """Wraps text in colour, or leaves it unchanged."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

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

    def bad(self, text: str) -> str:
        """Something wrong."""
        return self._paint("1;31", text)


def style_for(stream: TextIO) -> Style:
    """Colour only on a terminal, and not if NO_COLOR is set."""
    return Style(stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")
