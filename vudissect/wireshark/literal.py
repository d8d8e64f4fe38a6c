"""Python values as Lua source."""

import json
from typing import Any

# Larger integers are not exact in Lua 5.2, whose numbers are doubles.
_EXACT = 1 << 53
_RESERVED = frozenset(
    {"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local"}
)
_RESERVED |= {"nil", "not", "or", "repeat", "return", "then", "true", "until", "while"}


def literal(value: Any) -> str:
    """A value as Lua source: dictionaries, lists, text, whole numbers, true and false.

    None, false and empty values in a dictionary are left out, except for dictionaries, which code may index.
    """
    if isinstance(value, dict):
        entries = (entry(key, literal(inner)) for key, inner in value.items() if not _is_empty(inner))
        return "{" + ",".join(entries) + "}"
    if isinstance(value, list | tuple):
        return "{" + ",".join(map(literal, value)) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if abs(value) > _EXACT:
            raise ValueError(f"{value} is not exact in Lua 5.2")
        return str(value)
    if isinstance(value, str):
        return _text(value)
    raise TypeError(f"no Lua for {value!r}")


def entry(key: str | int, value: str) -> str:
    """An entry of a table; the value is Lua source."""
    return f"{_key(key)}={value}"


def _is_empty(value: Any) -> bool:
    return value is None or value is False or (not isinstance(value, int | dict) and not value)


def _key(key: str | int) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    return key if key.isidentifier() and key not in _RESERVED else f"[{_text(key)}]"


def _text(text: str) -> str:
    # JSON's escapes are also Lua's, if there are only ASCII and no control characters.
    if not text.isascii() or not text.isprintable():
        raise ValueError(f"{text!r} is not plain text")
    return json.dumps(text)
