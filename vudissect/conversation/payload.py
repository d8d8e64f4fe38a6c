"""The fields of a payload, read from the words that a transcript has for them."""

import re
from collections.abc import Callable
from math import prod
from typing import Any

from vudissect.conversation.conversation import ConversationError
from vudissect.conversation.values import choice, config_bytes, count, feature_numbers, number, value_of, word, zeros
from vudissect.protocol.devices import device_by_name
from vudissect.protocol.model import Channel, Device, Field, Layout, Meaning
from vudissect.session.state import State

RESULT = re.compile(r"\bok\b|FAILED \((\d+)\)|\back[= ](\d+)")
"""How a result is said."""

_REGION = re.compile(r"(?<!\w)(?:region\d+ )?(\w+)\+(\w+) at (\w+)(?: file\+(\w+))?,?")
_PACKED_BASE = re.compile(r"avail (\d+) wrap ([01]) used (\d+) wrap ([01])")
_ENTRY = re.compile(r"([a-z]+)(\d+)")
_MOST_ENTRIES = 4096
_REGION_MEANINGS = (Meaning.GUEST_ADDRESS, Meaning.SIZE, Meaning.USER_ADDRESS, Meaning.OFFSET)
# A field that holds one of these need not be named.
_SHORT_NAMES = {"ring": Meaning.RING, "base": Meaning.RING_BASE}


class Payload:
    """Takes the words of a payload, one after another, as fields of its layout.

    `connection` is the state before the message (None if there is none), `device` the device type if it is known.
    """

    def __init__(self, layout: Layout, channel: Channel, state: State | None, device: Device | None) -> None:
        self._layout = layout
        self._channel = channel
        self._state = state
        self._device = device
        self._fields: dict[str, Any] = {}
        self._config: dict[str, str] = {}

    def read(self, text: str) -> dict[str, Any]:
        """The fields by name; `ConversationError` for words that say nothing."""
        words = self._take_special(text).split()
        self._take_names(self._take_fields(words))
        self._fill_up()
        return self._fields

    def _take_special(self, text: str) -> str:
        """Take what is written in several words: memory regions, packed ring positions, results."""
        for pattern, take in (
            (_REGION, self._region),
            (_PACKED_BASE, self._packed_base),
            (RESULT, self._result),
        ):
            text = pattern.sub(take, text)
        if self._layout.array is not None:
            text = re.sub(rf"\bno {self._layout.array.name}\b", " ", text)
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
        raise ConversationError(f"{self._layout.title} holds no {meaning.value}")

    def _take_fields(self, words: list[str]) -> list[str]:
        """Take `name=value` and `name value`; what is left are words without a name."""
        rest: list[str] = []
        entry: dict[str, Any] | None = None
        remaining = iter(words)
        for text in remaining:
            if device := device_by_name(text.removesuffix(":")) if text.endswith(":") else None:
                self._device = device
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
                raise ConversationError(f"no field {name!r}; there are {', '.join(self._field_names()) or 'none'}")
            if known is None:
                rest.append(text)
            elif not equals and self._is_flag(name):
                self._fields[name] = 1
            else:
                value = value if equals else next(remaining, "")
                (self._fields if entry is None else entry)[name] = known(value.rstrip(","))
        return rest

    def _start_entry(self, text: str) -> dict[str, Any] | None:
        """`size3` is where the fourth entry of `sizes` begins."""
        match = _ENTRY.fullmatch(text)
        array = self._layout.array
        if array is None or match is None or match[1] != array.name.removesuffix("s"):
            return None
        number = count(match[2], 64)
        if number >= _MOST_ENTRIES:
            raise ConversationError(f"{text}: at most {_MOST_ENTRIES} {array.name} can be said")
        entries: list[dict[str, Any]] = self._fields.setdefault(array.name, [])
        entries.extend({} for _ in range(number + 1 - len(entries)))
        return entries[number]

    def _is_config(self, name: str) -> bool:
        """Whether this is a field of the configuration space that the message carries; `blk:` tells whose it is."""
        tail = self._layout.tail
        if tail is None or tail.field.meaning is not Meaning.CONFIG:
            return False
        return self._device is not None and any(each.name == name for each in self._device.config.fields)

    def _is_flag(self, name: str) -> bool:
        return any(part.name == name and part.width == 1 for each in self._layout.fields for part in each.parts)

    def _value_reader(self, name: str, entry: dict[str, Any] | None) -> Callable[[str], Any] | None:
        """What reads the value of the field of this name."""
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
                for text in [text for text in words if text in each.choices.values()][:1]:
                    self._fields[each.name] = choice(each, text)
                    words.remove(text)
        for each in self._layout.fields:
            if words and (each.meaning is Meaning.VIRTIO_FEATURES or each.bits is not None):
                self._fields[each.name] = self._features(each, " ".join(words))
                return
        if words:
            raise ConversationError(
                f"{words[0]!r} is not understood; fields: {', '.join(self._field_names()) or 'none'}"
            )

    def _features(self, each: Field, text: str) -> int:
        """`VERSION_1 LOG_ALL`, `all that was offered`, `all but LOG_ALL`, `only VERSION_1`, `none`."""
        numbers = each.bits.numbers if each.bits is not None else feature_numbers(self._device)
        text, _, extra = re.sub(r"\bbit (\d+)", r"bit\1", text).partition(", and NOT OFFERED:")
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
        """What was offered of this feature word."""
        state = self._state
        if state is not None:
            words = (state.protocol_features, state.protocol_features, state.gpu_features)
            told = state.features if each.meaning is Meaning.VIRTIO_FEATURES else words[self._channel]
            if told.offered is not None:
                return told.offered
        raise ConversationError("nothing was offered yet")

    def _fill_up(self) -> None:
        """Give a tail that is not said the length that the fields say."""
        tail = self._layout.tail
        if tail is not None and tail.field.name not in self._fields:
            factors = (each if isinstance(each, int) else self._fields.get(each, 0) for each in tail.length)
            size = prod(factors)
            self._fields[tail.field.name] = (
                config_bytes(self._device, self._config, size) if self._device else zeros(size)
            )
