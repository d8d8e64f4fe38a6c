"""Numbers and external text in readable form."""

import re
from functools import lru_cache

_UNITS = ((1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))
# Five bytes at least: fewer are as easily read in full.
_REPEATED = re.compile(r"\b([0-9a-f]{2})(?: \1\b){4,}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

# Characters that are allowed in printable text but not in XML.
_NOT_XML = re.compile("[\ufffe\uffff]")


@lru_cache(maxsize=1024)
def size_text(size: int) -> str:
    """A number of bytes, in the largest unit that is exact: `256M`, `4K`, `1056`."""
    for unit, letter in _UNITS:
        if size and size % unit == 0:
            return f"{size // unit}{letter}"
    return str(size)


def address_text(address: int) -> str:
    """An address or offset: hexadecimal, except for a plain 0."""
    return f"{address:#x}" if address else "0"


def duration_text(nanoseconds: int) -> str:
    """A duration with three significant digits: `87us`, `1.24ms`, `2.03s`."""
    if nanoseconds < 0:
        return f"-{duration_text(-nanoseconds)}"
    if nanoseconds < 999_500:
        return f"{nanoseconds / 1e3:.3g}us"
    if nanoseconds < 999_500_000:
        return f"{nanoseconds / 1e6:.3g}ms"
    return f"{nanoseconds / 1e9:.3f}s" if nanoseconds < 10_000_000_000 else f"{nanoseconds / 1e9:.1f}s"


def whole_hex_text(data: bytes, most: int | None = None) -> str:
    """Bytes in hexadecimal, repeated ones with their number: `05 00*255`; the first `most` if there are more."""
    text = _REPEATED.sub(_repeated, data[:most].hex(" "))
    return text if most is None or len(data) <= most else f"{text} ... ({len(data)} bytes)"


def _repeated(match: re.Match[str]) -> str:
    return f"{match[1]}*{(len(match[0]) + 1) // 3}"


def hex_text(data: bytes, most: int) -> str:
    """Bytes in hexadecimal, at most `most` of them, and the total if there are more."""
    text = data[:most].hex(" ")
    return text if len(data) <= most else f"{text} ... ({len(data)} bytes)"


def printable(text: str) -> str:
    """External text, with everything that could control a terminal escaped."""
    return _CONTROL.sub(_escape, text)


def xml_text(text: str) -> str:
    """External text as in `printable`, also without the characters that XML does not allow."""
    return _NOT_XML.sub(lambda match: f"\\u{ord(match.group()):04x}", printable(text))


def _escape(match: re.Match[str]) -> str:
    # A byte that is not UTF-8 is a surrogate in Python's text.
    byte = match.group().encode("utf-8", "surrogateescape") if "\udc80" <= match.group() <= "\udcff" else b""
    return f"\\x{byte.hex()}" if byte else match.group().encode("unicode_escape").decode()


def unicode(text: str) -> str:
    """External text, such as a file name, with only what is not valid Unicode escaped."""
    return text.encode(errors="backslashreplace").decode()
