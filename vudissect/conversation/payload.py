"""Reads the fields of a payload from the words that a transcript uses for them."""

import re
from collections.abc import Callable
from math import prod
from typing import Any

from vudissect.conversation.conversation import ConversationError
from vudissect.conversation.values import (
    BYTES,
    bytes_of,
    config_bytes,
    count,
    feature_numbers,
    number,
    value_of,
    word,
    zeros,
)
from vudissect.protocol.devices import device_by_name
from vudissect.protocol.model import Channel, Device, Field, Layout, Meaning
from vudissect.session.state import State

RESULT = re.compile(r"\bok\b|FAILED \((\d+)\)|\back[= ](\d+)")
"""How a result is written."""

_REGION = re.compile(r"(?<!\w)(?:region\d+ )?(\w+)\+(\w+) at (\w+)(?: file\+(\w+))?,?")
_PACKED_BASE = re.compile(r"avail (\d+) wrap ([01]) used (\d+) wrap ([01])")
# Bytes of a configuration space that are not a whole field: `capacity[0:4]=00000001`, `unknown[60:64]=0`.
_PART = re.compile(r"(\w+)\[(\d+):(\d+)\]=(0|(?:[0-9a-f]{2})+)")
_BYTES = rf"(?P<bytes>(?:{BYTES})+)"
_UNNAMED_BIT = re.compile(r"\bbit (\d+)")
_ENTRY = re.compile(r"([a-z]+)(\d+)")
_MAX_ENTRIES = 4096
_REGION_MEANINGS = (Meaning.GUEST_ADDRESS, Meaning.SIZE, Meaning.USER_ADDRESS, Meaning.OFFSET)
# Words for the field with this meaning, whatever its name.
_SHORT_NAMES = {"ring": Meaning.RING, "base": Meaning.RING_BASE}


class PayloadReader:
    """Reads the words of a payload as fields of its layout.

    `state` is the state of the connection before the message, `device` the device type; None if unknown.
    """

    def __init__(self, layout: Layout, channel: Channel, state: State | None, device: Device | None) -> None:
        self._layout = layout
        self._channel = channel
        self._state = state
        self._device = device
        self._fields: dict[str, Any] = {}
        self._config: dict[str, str] = {}
        self._parts: list[tuple[int, bytes]] = []

    def read(self, text: str) -> dict[str, Any]:
        """The fields by name; `ConversationError` for words that have no meaning here."""
        words = self._take_special(text).split()
        self._take_names(self._take_fields(words))
        self._add_count()
        self._add_tail()
        return self._fields

    def _add_count(self) -> None:
        """Count the slots in use where an array always has the same number of them."""
        array = self._layout.array
        if array is None or not isinstance(array.count, int):
            return
        used = [entry for entry in self._fields.get(array.name, ()) if any(entry.values())]
        for each in self._layout.fields:
            if each.meaning is Meaning.COUNT:
                self._fields.setdefault(each.name, len(used))

    def _take_special(self, text: str) -> str:
        """Take everything written in several words: memory regions, packed ring positions, results."""
        text = _UNNAMED_BIT.sub(r"bit\1", self._take_bytes(text))
        for pattern, take in (
            (_REGION, self._region),
            (_PACKED_BASE, self._packed_base),
            (RESULT, self._result),
        ):
            text = pattern.sub(take, text)
        if self._layout.array is not None:
            text = _no(self._layout.array.name).sub(" ", text)
        return text

    def _take_bytes(self, text: str) -> str:
        """Take bytes in hexadecimal, which are separated by blanks."""
        fields = (*self._layout.fields, *((self._layout.tail.field,) if self._layout.tail is not None else ()))
        for each in fields:
            if each.meaning in (Meaning.BYTES, Meaning.CONFIG):
                text = _no(each.name).sub(" ", text)
                if match := re.search(rf"(?<!\S){each.name} {_BYTES}", text):
                    self._fields[each.name] = bytes_of(match["bytes"])
                    text = f"{text[: match.start()]} {text[match.end() :]}"
        return text

    def _region(self, match: re.Match[str]) -> str:
        entry = self._layout.array.entry if self._layout.array is not None else self._layout
        by_meaning = {each.meaning: each.name for each in entry.fields}
        if not set(_REGION_MEANINGS) <= by_meaning.keys():
            return match[0]
        values = {
            by_meaning[meaning]: number(text or "0")
            for meaning, text in zip(_REGION_MEANINGS, match.groups(), strict=True)
        }
        if self._layout.array is not None:
            self._fields.setdefault(self._layout.array.name, []).append(values)
        else:
            self._fields.update(values)
        return " "

    def _packed_base(self, match: re.Match[str]) -> str:
        avail, avail_wrap, used, used_wrap = map(count, match.groups(), (15, 1, 15, 1))
        num = avail | avail_wrap << 15 | used << 16 | used_wrap << 31
        return f"{self._named(Meaning.RING_BASE)}={num}"

    def _result(self, match: re.Match[str]) -> str:
        return f"{self._named(Meaning.STATUS_CODE)}={match[1] or match[2] or 0}"

    def _named(self, meaning: Meaning) -> str:
        """The name of the field or bit field with this meaning."""
        for each in self._layout.fields:
            if each.meaning is meaning:
                return each.name
            for part in each.parts:
                if part.meaning is meaning:
                    return part.name
        raise ConversationError(f"{self._layout.title} has no {meaning.value}")

    def _take_fields(self, words: list[str]) -> list[str]:
        """Take `name=value` and `name value`; the words that remain have no name."""
        rest: list[str] = []
        entry: dict[str, Any] | None = None
        remaining = iter(words)
        for text in remaining:
            if device := device_by_name(text.rstrip("?:")) if text.endswith(":") else None:
                self._device = device
                continue
            if self._has_config and (part := _PART.fullmatch(text)):
                self._parts.append(self._part(part))
                continue
            name, equals, value = text.partition("=")
            if (started := self._start_entry(name)) is not None:
                entry = started
                continue
            if name in _SHORT_NAMES:
                name = self._named(_SHORT_NAMES[name])
            known = self._value_reader(name, entry)
            if known is None and self._is_config(name):
                self._config[name] = value if equals else next(remaining, "")
                continue
            if known is None and equals:
                raise ConversationError(f"no field {name!r}; fields: {', '.join(self._field_names()) or 'none'}")
            if known is None:
                rest.append(text)
            elif not equals and self._is_flag(name):
                self._fields[name] = 1
            else:
                value = value if equals else next(remaining, "")
                (self._fields if entry is None else entry)[name] = known(value.rstrip(","))
        return rest

    def _start_entry(self, text: str) -> dict[str, Any] | None:
        """The entry that a word such as `size3` (the fourth of `sizes`) starts; None for any other word."""
        match = _ENTRY.fullmatch(text)
        array = self._layout.array
        if array is None or match is None or match[1] != array.name.removesuffix("s"):
            return None
        number = count(match[2], 64)
        if number >= _MAX_ENTRIES:
            raise ConversationError(f"{text}: a conversation can have at most {_MAX_ENTRIES} {array.name}")
        entries: list[dict[str, Any]] = self._fields.setdefault(array.name, [])
        entries.extend({} for _ in range(number + 1 - len(entries)))
        return entries[number]

    def _is_config(self, name: str) -> bool:
        """Whether the message carries configuration space with a field of this name; `blk:` sets the device."""
        if not self._has_config or self._device is None:
            return False
        return any(each.name == name for each in self._device.config.fields)

    @property
    def _has_config(self) -> bool:
        tail = self._layout.tail
        return tail is not None and tail.field.meaning is Meaning.CONFIG

    def _part(self, match: re.Match[str]) -> tuple[int, bytes]:
        """The offset in the configuration space and the bytes of a part."""
        name, (start, end) = match[1], map(number, match.groups()[1:3])
        fields = self._device.config.fields if self._device is not None else ()
        if name != "unknown" and all(each.name != name for each in fields):
            raise ConversationError(f"no field {name!r} in the configuration space")
        for each in fields if name != "unknown" else ():
            if each.name == name:
                break
            start, end = start + each.size, end + each.size
        data = bytes.fromhex(match[4]) if match[4] != "0" else zeros(end - start)
        if len(data) != end - start:
            raise ConversationError(f"{match[0]}: {len(data)} bytes are given for {end - start}")
        return start, data

    def _is_flag(self, name: str) -> bool:
        return any(part.name == name and part.width == 1 for each in self._layout.fields for part in each.parts)

    def _value_reader(self, name: str, entry: dict[str, Any] | None) -> Callable[[str], Any] | None:
        """The function that reads a value of this field; None if there is no such field."""
        layout = self._layout
        fields = layout.array.entry.fields if entry is not None and layout.array is not None else layout.fields
        if layout.tail is not None:
            fields = (*fields, layout.tail.field)
        for each in fields:
            if each.name == name:
                return lambda text: value_of(each, text, self._state, self._device)
            if any(part.name == name for part in each.parts):
                return number
        return None

    def _field_names(self) -> list[str]:
        return [part.name for each in self._layout.fields for part in (each.parts or (each,))]

    def _take_names(self, words: list[str]) -> None:
        """Take words without a name: choices, then features."""
        for each in self._layout.fields:
            if each.choices:
                words = self._take_choice(each, words)
        for each in self._layout.fields:
            if words and (each.meaning is Meaning.VIRTIO_FEATURES or each.bits is not None):
                self._fields[each.name] = self._features(each, " ".join(words))
                return
        if words:
            raise ConversationError(
                f"{words[0]!r} is not understood; fields: {', '.join(self._field_names()) or 'none'}"
            )

    def _take_choice(self, each: Field, words: list[str]) -> list[str]:
        """Take the first name of one of the field's values; it may consist of several words."""
        named = {tuple(name.split()): value for value, name in each.choices.items()}
        for start in range(len(words)):
            for name, value in named.items():
                if tuple(words[start : start + len(name)]) == name:
                    self._fields.setdefault(each.name, value)
                    return words[:start] + words[start + len(name) :]
        return words

    def _features(self, each: Field, text: str) -> int:
        """`VERSION_1 LOG_ALL`, `all that was offered`, `all but LOG_ALL`, `only VERSION_1`, `none`."""
        numbers = each.bits.numbers if each.bits is not None else feature_numbers(self._device)
        text, _, extra = text.partition(", and NOT OFFERED:")
        names = text.split()
        if names == ["none"]:
            mask = 0
        elif names == ["all", "that", "was", "offered"]:
            mask = self._offered(each)
        elif names[:2] == ["all", "but"]:
            mask = self._offered(each) & ~word(names[2:], numbers)
        else:
            mask = word(names[1:] if names[:1] == ["only"] else names, numbers)
        return mask | word(extra.split(), numbers)

    def _offered(self, each: Field) -> int:
        """The features that were offered in this word."""
        state = self._state
        if state is not None:
            by_channel = (state.protocol_features, state.protocol_features, state.gpu_features)
            features = state.features if each.meaning is Meaning.VIRTIO_FEATURES else by_channel[self._channel]
            if features.offered is not None:
                return features.offered
        raise ConversationError("no features have been offered yet")

    def _add_tail(self) -> None:
        """Give a tail that was not written the length that the other fields announce."""
        tail = self._layout.tail
        if tail is not None and tail.field.name not in self._fields:
            factors = (each if isinstance(each, int) else self._fields.get(each, 0) for each in tail.length)
            size = prod(factors)
            self._fields[tail.field.name] = self._contents(size) if self._has_config else zeros(size)

    def _contents(self, size: int) -> bytes:
        """The bytes of a configuration space from where it is read or written."""
        offset = self._fields.get(self._layout.names[0], 0)
        space = bytearray(zeros(offset + size))
        if self._device is not None:
            space[:] = config_bytes(self._device, self._config, offset + size)
        for start, data in self._parts:
            space[start : start + len(data)] = data
        return bytes(space[offset : offset + size])


def _no(name: str) -> re.Pattern[str]:
    """How a transcript writes that there is nothing of this name."""
    return re.compile(rf"(?<!\S)no {name}(?!\S)")
