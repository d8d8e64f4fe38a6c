"""The option -b of a recorder: when a file ends, and how many are kept; names and units are those of dumpcap."""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from vudissect.proxy.rotation import Rotation

# dumpcap counts in units of 1000 bytes.
_SIZES: Final = {"": 1000, "k": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LEAST_SIZE: Final = 100_000
_LEAST_FILES: Final = 2
_MOST: Final = 10**15
_NUMBER: Final = re.compile(r"(\d+(?:\.\d+)?)([a-zA-Z]?)")

_HELP = """Write several files: filesize:N ends one after N kB (8M, 1G), duration:N after N seconds (30m, 1d), and
files:N keeps the newest N (repeatable)."""


def _parsed(words: Iterable[str]) -> "Rotation | None":
    given: dict[str, float] = {}
    for word in words:
        name, colon, text = word.partition(":")
        if not colon or name not in _KINDS:
            raise click.BadParameter(f"{word!r} is none of filesize:N, duration:N and files:N")
        if name in given:
            raise click.BadParameter(f"{name} is given twice")
        given[name] = _KINDS[name](word, text)
    if not given:
        return None
    if given.keys() == {"files"}:
        raise click.BadParameter("files:N needs filesize:N or duration:N, which end a file")
    from vudissect.proxy.rotation import Rotation

    return Rotation(int(given.get("filesize", 0)), given.get("duration", 0.0), int(given.get("files", 0)))


def _number(word: str, text: str, units: dict[str, int], least: float, what: str) -> float:
    match = _NUMBER.fullmatch(text)
    if match is None or match[2] not in units or not least <= float(match[1]) * units[match[2]] <= _MOST:
        raise click.BadParameter(f"{word!r} must be {what}")
    return float(match[1]) * units[match[2]]


def _size(word: str, text: str) -> float:
    return _number(word, text, _SIZES, _LEAST_SIZE, "at least 100 (kB), such as 8M or 1G")


def _duration(word: str, text: str) -> float:
    return _number(word, text, _SECONDS, 1, "at least 1 (second), such as 30m, 12h or 1d")


def _files(word: str, text: str) -> float:
    if not text.isdecimal():
        raise click.BadParameter(f"{word!r} must be a whole number of files, at least {_LEAST_FILES}")
    return _number(word, text, {"": 1}, _LEAST_FILES, f"at least {_LEAST_FILES} files")


_KINDS: Final[dict[str, Callable[[str, str], float]]] = {"filesize": _size, "duration": _duration, "files": _files}


def ring_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option -b, as the argument `rotation`."""
    return click.option(
        "-b",
        "--ring-buffer",
        "rotation",
        multiple=True,
        metavar="KIND:N",
        callback=lambda _context, _parameter, words: _parsed(words),
        help=_HELP,
    )(command)
