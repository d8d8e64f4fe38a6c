"""Options of a command line, and their values: `a=1,b=2` with `,,` for a comma, or JSON."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# A comma that is not one of a pair, and not after one.
_COMMA = re.compile(r"(?<!,)(?:,,)*,(?!,)")


@dataclass(frozen=True, slots=True)
class Option:
    """An option with its value: `index` is the word that has the value, after the first `prefix` characters."""

    name: str
    value: str
    index: int
    prefix: int = 0


def options(words: list[str], *, several: frozenset[str] = frozenset()) -> Iterator[Option]:
    """The options with their values, without leading dashes.

    A word after an option is its value unless it begins with a dash; an option in `several` may have more than one.
    """
    for index, word in enumerate(words):
        if not word.startswith("-"):
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if equals:
            yield Option(name, value, index, len(word) - len(value))
            continue
        for following in range(index + 1, len(words)):
            if words[following].startswith("-") or (following > index + 1 and name not in several):
                break
            yield Option(name, words[following], following)


class Properties(dict[str, str]):
    """The properties in the value of an option, and the way to change them; nested ones have names as in `addr.path`.

    The first word may have no name: it is the property `implied`. A later word without a value is `on`, or `off` if
    it begins with `no`, as in `server,nowait`.
    """

    def __init__(self, text: str, implied: str = "") -> None:
        self._text = text
        self._json: dict[str, Any] | None = None
        if text.startswith("{"):
            self._json = _object(text)
            super().__init__(_flat(self._json))
            return
        super().__init__()
        for number, part in enumerate(_parts(text)):
            name, value = _named(part, implied if number == 0 else "")
            self[name] = value

    def text(self, changes: Mapping[str, str], without: frozenset[str] = frozenset()) -> str:
        """The value with these properties changed or added, and without those; the rest is as it was."""
        if self._json is not None:
            changed = json.loads(self._text)
            for path in without:
                _put(changed, path.split("."), None)
            for path, value in changes.items():
                _put(changed, path.split("."), value)
            return json.dumps(changed, separators=(",", ":"))
        kept, added = [], dict(changes)
        for part in _parts(self._text):
            name = _named(part, "")[0]
            if name in added:
                kept.append(f"{name}={added.pop(name).replace(',', ',,')}")
            elif name not in without:
                kept.append(part)
        return ",".join([*kept, *(f"{name}={value.replace(',', ',,')}" for name, value in added.items())])


def in_property(
    prefix: int, properties: Properties, key: str, without: frozenset[str] = frozenset()
) -> Callable[[str, str], str]:
    """Makes a word with another path in one of its properties, which begin after `prefix` characters."""
    return lambda word, path: word[:prefix] + properties.text({key: path}, without)


def in_value(prefix: int, after: str = "") -> Callable[[str, str], str]:
    """Makes a word with another path after its first `prefix` characters."""
    return lambda word, path: word[:prefix] + path + after


def is_on(value: str) -> bool:
    """Whether a switch has a value that means yes."""
    return value in ("on", "yes", "true", "y", "1")


def _parts(text: str) -> list[str]:
    parts, start = [], 0
    for match in _COMMA.finditer(text):
        parts.append(text[start : match.end() - 1])
        start = match.end()
    return [*parts, text[start:]]


def _named(part: str, implied: str) -> tuple[str, str]:
    name, equals, value = part.partition("=")
    if equals:
        return name, value.replace(",,", ",")
    if implied:
        return implied, part.replace(",,", ",")
    return (name[2:], "off") if name in ("nowait", "noserver") else (name, "on")


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        # The program itself reports it.
        return {}
    return found if isinstance(found, dict) else {}


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, each in value.items():
        if isinstance(each, dict):
            flat |= _flat(each, f"{prefix}{name}.")
        elif isinstance(each, bool):
            flat[prefix + name] = "on" if each else "off"
        else:
            flat[prefix + name] = str(each)
    return flat


def _put(value: dict[str, Any], path: list[str], new: str | None) -> None:
    for name in path[:-1]:
        inner = value.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        value = inner
    if new is None:
        value.pop(path[-1], None)
    else:
        value[path[-1]] = new
