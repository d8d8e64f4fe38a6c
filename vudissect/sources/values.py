"""The arguments and results of system calls as strace prints them, as values. Written from strace(1) and its output."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple


class NotArgumentsError(ValueError):
    """Text that is not as strace prints arguments."""


class Text(NamedTuple):
    """A string; `cut`: strace has printed only its beginning (`-s`)."""

    data: bytes
    cut: bool = False


class Number(NamedTuple):
    """A descriptor with the description that `-y` or `-yy` adds, decoded: a path, or as in `UNIX-STREAM:[7->8]`."""

    value: int
    about: str


Value = int | Text | Number | str | list["Value"] | dict[str, "Value"]
"""A value: numbers, strings, descriptors, arrays and structures; anything else is the text."""

NOTHING: Final[Mapping[str, Value]] = {}

_DEEPEST: Final = 16
_STRING: Final = re.compile(r'@?"((?:[^"\\]|\\.)*)"(\.\.\.)?')
_INTEGER: Final = re.compile(r"-?(?:0x[0-9a-f]{1,16}|\d{1,20})(?![\w|<])")
_DESCRIPTOR: Final = re.compile(r"(-?\d{1,10})<")
_FIELD: Final = re.compile(r"(\w+)=")
# Up to what comes next: flags, names, calculations, comments, calls such as makedev(1, 3).
_OTHER: Final = re.compile(r"(?:[^,(){}\[\]\"]|\([^()]*\))+")
_COMMENT: Final = re.compile(r"\s*/\*.*?\*/")
_SEPARATOR: Final = re.compile(r"\s*(?:,|=>)\s*|\s+")
_ESCAPE: Final = re.compile(rb"\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
_LETTERS: Final = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"f": b"\f"}
_MARKS: Final = re.compile(r'[">]')
# Newer releases print this inside the brackets.
_DELETED: Final = "(deleted)"


def parse_arguments(text: str, place: int = 0) -> tuple[list[Value], int]:
    """The arguments of a call from after its opening bracket, and the place after its closing one.

    `NotArgumentsError` if the text is something else.
    """
    return _list(text, place, ")", 0)


def number(text: str) -> int:
    """A number, decimal or hexadecimal."""
    return int(text, 16 if "x" in text else 10)


def parse_descriptor(text: str) -> Number | None:
    """The descriptor at the start of a result, `9<...>`; None if there is none; errors as above."""
    match = _DESCRIPTOR.match(text)
    return _described(text, match)[0] if match else None


def _list(text: str, place: int, end: str, depth: int) -> tuple[list[Value], int]:
    values: list[Value] = []
    while True:
        place = _skip(text, place)
        if text.startswith(end, place):
            return values, place + 1
        value, place = _value(text, place, depth)
        values.append(value)


def _structure(text: str, place: int, depth: int) -> tuple[dict[str, Value], int]:
    fields: dict[str, Value] = {}
    while True:
        place = _skip(text, place)
        if text.startswith("}", place):
            return fields, place + 1
        if match := _FIELD.match(text, place):
            fields[match[1]], place = _value(text, match.end(), depth)
        else:
            _, place = _value(text, place, depth)


def _value(text: str, place: int, depth: int) -> tuple[Value, int]:
    if depth > _DEEPEST:
        raise NotArgumentsError("brackets in brackets")
    first = text[place : place + 1]
    if first == "[":
        return _list(text, place + 1, "]", depth + 1)
    if first == "{":
        return _structure(text, place + 1, depth + 1)
    if match := _STRING.match(text, place):
        return Text(unescaped(match[1]), bool(match[2])), match.end()
    if match := _DESCRIPTOR.match(text, place):
        return _described(text, match)
    if match := _INTEGER.match(text, place):
        return number(match[0]), match.end()
    if match := _OTHER.match(text, place):
        return match[0].strip(), match.end()
    raise NotArgumentsError(text[place : place + 20] or "it ends early")


def _skip(text: str, place: int) -> int:
    while match := _SEPARATOR.match(text, place) or _COMMENT.match(text, place):
        place = match.end()
    return place


def _described(text: str, match: re.Match[str]) -> tuple[Number, int]:
    """A descriptor and its description, which may contain `->` and, for sockets, quoted paths."""
    start = place = match.end()
    while mark := _MARKS.search(text, place):
        place = mark.end()
        if mark[0] == '"':
            string = _STRING.match(text, mark.start())
            place = string.end() if string else place
        elif text[mark.start() - 1] != "-":
            about = unescaped(text[start : mark.start()]).decode(errors="backslashreplace")
            if text.startswith(_DELETED, place):
                about, place = f"{about} {_DELETED}", place + len(_DELETED)
            return Number(int(match[1]), about), place
    raise NotArgumentsError("a description without an end")


def unescaped(text: str) -> bytes:
    """The bytes of a string as printed."""
    raw = text.encode(errors="surrogateescape")
    return _ESCAPE.sub(_escape, raw) if b"\\" in raw else raw


def _escape(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes((int(match[1], 16),))
    if match[2]:
        return bytes((int(match[2], 8) & 0xFF,))
    return _LETTERS.get(match[3], match[3])
