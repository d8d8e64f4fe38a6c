"""Long lines for a terminal: wrapped at its width, with a hanging indent.

Text is broken between words. A name stays with its number (`ring 0`, `desc region0+0x1000`), and what is in brackets
stays together, where they fit in a line; a longer word ends with a backslash where it is broken.
"""

import re
from collections.abc import Iterator
from unicodedata import east_asian_width

_ESCAPE = re.compile(r"\x1b\[[\d;]*m")
_CHARACTER = re.compile(r"\x1b\[[\d;]*m|.", re.DOTALL)
_UNIT = re.compile(
    r"(?P<gap> *)(?P<unit>(?:\x1b\[[\d;]*m)*(?:\[[^][]*\]|[a-z_]+ (?:region)?\d\S*|\S+(?: ->)?)(?:\x1b\[[\d;]*m)*)"
)
# Where a line ends in the middle of a word.
_INSIDE = "\\"
# A terminal narrower than this has no room for a deep indent.
_NARROW = 60
_SHALLOW = 2


def wrapped(text: str, width: int, indent: int) -> str:
    """The text with lines of at most `width` columns, the continued ones indented; unchanged for a width of 0."""
    if not width or (len(text) <= width and text.isascii()):
        return text
    hanging = " " * (indent if width >= _NARROW else min(_SHALLOW, width - 1))
    return "\n".join("\n".join(_broken(line, width, hanging)) for line in text.split("\n"))


def _broken(line: str, width: int, hanging: str) -> Iterator[str]:
    if _columns(line) <= width:
        yield line
        return
    current = ""
    for gap, unit in _UNIT.findall(line):
        if _columns(current + gap + unit) <= width:
            current += gap + unit
            continue
        if current.strip():
            yield current
            current, gap = hanging, ""
        current += gap
        room = width if _columns(current + unit) <= width else width - len(_INSIDE)
        for character in _CHARACTER.findall(unit):
            if _columns(current) + _columns(character) > room:
                yield current + _INSIDE
                current = hanging
            current += character
    yield current


def _columns(text: str) -> int:
    plain = _ESCAPE.sub("", text)
    if plain.isascii():
        return len(plain)
    return sum(1 + (east_asian_width(character) in "WF") for character in plain)
