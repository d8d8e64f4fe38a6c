"""What stands behind the name in a line of a conversation: fields, descriptors and options of one message."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

from vudissect.capture.record import Mark
from vudissect.conversation.conversation import ConversationError
from vudissect.conversation.objects import Objects
from vudissect.conversation.values import choice, config_bytes, duration, feature_numbers, number, value_of, word, zeros
from vudissect.session.connection import Connection
from vudissect.spec.devices import device_by_name
from vudissect.spec.model import Answer, Device, Field, Layout, Meaning, Message
from vudissect.spec.payloads import ACK

# What a transcript adds for its reader: the request that a reply answers, the descriptor that another replaces.
_REMARKS = re.compile(r"\[(?:#\d+|answers)[^]]*\]|\(was [^)]*\)|->")
_REGION = re.compile(r"(?:region\d+ )?(\w+)\+(\w+) at (\w+)(?: file\+(\w+))?,?")
_PACKED_BASE = re.compile(r"avail (\d+) wrap ([01]) used (\d+) wrap ([01])")
_RESULT = re.compile(r"\bok\b|FAILED \((\d+)\)|\back[= ](\d+)")
_ENTRY = re.compile(r"([a-z]+)(\d+)")
_MOST_ENTRIES = 4096
_MARKS = {mark.name.lower(): mark for mark in Mark if mark.name}
_REGION_MEANINGS = (Meaning.GUEST_ADDRESS, Meaning.SIZE, Meaning.USER_ADDRESS, Meaning.OFFSET)
# A field that holds one of these need not be named.
_SHORT_NAMES = {"ring": Meaning.RING, "base": Meaning.RING_BASE}


@dataclass(slots=True)
class Contents:
    """The words of a message, taken one after another; `options` is what `Conversation.say` takes."""

    row: Message | None
    reply: bool
    connection: Connection | None
    device: Device | None
    layout: Layout | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    config: dict[str, str] = field(default_factory=dict)

    def read(self, text: str, objects: Objects) -> dict[str, Any]:
        """Fields and options; `ConversationError` for words that say nothing."""
        text = _REMARKS.sub(" ", text)
        text, descriptors = objects.take(text)
        text = self._take_layout(text)
        if descriptors:
            self.options["descriptors"] = descriptors
        words = self._take_options(text)
        if self.layout is None:
            if words:
                raise ConversationError(f"{words[0]!r} is not understood: give the payload in hexadecimal")
            return self.options
        words = self._take_special(" ".join(words)).split()
        self._take_names(self._take_fields(words))
        self._fill_up()
        return self.options | self.fields

    def _take_layout(self, text: str) -> str:
        """The layout is the first of the row, or the one whose name stands in parentheses."""
        if self.row is None:
            return text
        known = self.row.reply if self.reply else self.row.request
        for layout in known:
            if f"({layout.name})" in text:
                self.layout = layout
                self.options["layout"] = layout
                return text.replace(f"({layout.name})", " ")
        result = _RESULT.search(text)
        if self.reply and self.row.answer is not Answer.ALWAYS and result is not None:
            self.layout = self.options["layout"] = ACK
        elif known:
            self.layout = known[0]
        elif "payload" not in text:
            raise ConversationError(f"{self.row.name} takes no reply but an acknowledgement: ok, FAILED (1)")
        return text

    def _take_options(self, text: str) -> list[str]:
        words: list[str] = []
        for word_ in text.split():
            name, _, value = word_.partition("=")
            if word_ == "need_reply":
                self.options["need_reply"] = True
            elif word_ in _MARKS:
                self.options["marks"] = self.options.get("marks", 0) | _MARKS[word_]
            elif name in ("header_flags", "header_size", "cut_short"):
                self.options[name] = number(value)
            elif name == "payload":
                self.options[name] = _hexadecimal(value)
            elif word_.startswith("+") and (after := duration(word_[1:])) is not None:
                self.options["after"] = after
            else:
                words.append(word_)
        return words

    def _take_special(self, text: str) -> str:
        """Take what is written in several words: memory regions, packed ring positions, results."""
        assert self.layout is not None
        for pattern, take in (
            (_REGION, self._region),
            (_PACKED_BASE, self._packed_base),
            (_RESULT, self._result),
        ):
            text = pattern.sub(take, text)
        return text

    def _region(self, match: re.Match[str]) -> str:
        assert self.layout is not None
        entry = self.layout.array.entry if self.layout.array is not None else self.layout
        by_meaning = {each.meaning: each.name for each in entry.fields}
        if not set(_REGION_MEANINGS) <= by_meaning.keys():
            return match[0]
        values = {
            by_meaning[meaning]: number(text or "0")
            for meaning, text in zip(_REGION_MEANINGS, match.groups(), strict=True)
        }
        if self.layout.array is not None:
            self.fields.setdefault(self.layout.array.name, []).append(values)
        else:
            self.fields.update(values)
        return " "

    def _packed_base(self, match: re.Match[str]) -> str:
        avail, avail_wrap, used, used_wrap = (int(group) for group in match.groups())
        num = avail | avail_wrap << 15 | used << 16 | used_wrap << 31
        return f"{self._named(Meaning.RING_BASE)}={num}"

    def _result(self, match: re.Match[str]) -> str:
        return f"{self._named(Meaning.STATUS_CODE)}={match[1] or match[2] or 0}"

    def _named(self, meaning: Meaning) -> str:
        """The name of the field or bit field with this meaning."""
        assert self.layout is not None
        for each in self.layout.fields:
            if each.meaning is meaning:
                return each.name
            for part in each.parts:
                if part.meaning is meaning:
                    return part.name
        raise ConversationError(f"{self.layout.name} holds no {meaning.value}")

    def _take_fields(self, words: list[str]) -> list[str]:
        """Take `name=value` and `name value`; what is left are words without a name."""
        rest: list[str] = []
        entry: dict[str, Any] | None = None
        remaining = iter(words)
        for text in remaining:
            if device := device_by_name(text.removesuffix(":")) if text.endswith(":") else None:
                self.device = device
                continue
            name, equals, value = text.partition("=")
            if (started := self._start_entry(name)) is not None:
                entry = started
                continue
            if name in _SHORT_NAMES:
                name = self._named(_SHORT_NAMES[name])
            known = self._value_reader(name, entry)
            if known is None and self._is_config(name):
                self.config[name] = value if equals else next(remaining, "")
                continue
            if known is None and equals:
                raise ConversationError(f"no field {name!r}; there are {', '.join(self._field_names()) or 'none'}")
            if known is None:
                rest.append(text)
            elif not equals and self._is_flag(name):
                self.fields[name] = 1
            else:
                value = value if equals else next(remaining, "")
                (self.fields if entry is None else entry)[name] = known(value.rstrip(","))
        return rest

    def _start_entry(self, text: str) -> dict[str, Any] | None:
        """`size3` is where the fourth entry of `sizes` begins."""
        assert self.layout is not None
        match = _ENTRY.fullmatch(text)
        array = self.layout.array
        if array is None or match is None or match[1] != array.name.removesuffix("s"):
            return None
        if int(match[2]) >= _MOST_ENTRIES:
            raise ConversationError(f"{text}: at most {_MOST_ENTRIES} {array.name} can be said")
        entries: list[dict[str, Any]] = self.fields.setdefault(array.name, [])
        entries.extend({} for _ in range(int(match[2]) + 1 - len(entries)))
        return entries[int(match[2])]

    def _is_config(self, name: str) -> bool:
        """Whether this is a field of the configuration space that the message carries; `blk:` tells whose it is."""
        assert self.layout is not None
        tail = self.layout.tail
        if tail is None or tail.field.meaning is not Meaning.CONFIG:
            return False
        return self.device is not None and any(each.name == name for each in self.device.config.fields)

    def _is_flag(self, name: str) -> bool:
        assert self.layout is not None
        return any(part.name == name and part.width == 1 for each in self.layout.fields for part in each.parts)

    def _value_reader(self, name: str, entry: dict[str, Any] | None) -> Callable[[str], Any] | None:
        """What reads the value of the field of this name."""
        assert self.layout is not None
        layout = self.layout
        fields = layout.array.entry.fields if entry is not None and layout.array is not None else layout.fields
        if layout.tail is not None:
            fields = (*fields, layout.tail.field)
        for each in fields:
            if each.name == name:
                return lambda text: value_of(each, text, self.connection, self.device)
            if any(part.name == name for part in each.parts):
                return number
        return None

    def _field_names(self) -> list[str]:
        assert self.layout is not None
        return [part.name for each in self.layout.fields for part in (each.parts or (each,))]

    def _take_names(self, words: list[str]) -> None:
        """Take words without a name: choices, then features."""
        assert self.layout is not None
        for each in self.layout.fields:
            if each.choices:
                for text in [text for text in words if text in each.choices.values()][:1]:
                    self.fields[each.name] = choice(each, text)
                    words.remove(text)
        for each in self.layout.fields:
            if words and (each.meaning is Meaning.VIRTIO_FEATURES or each.bits is not None):
                self.fields[each.name] = self._features(each, " ".join(words))
                return
        if words:
            raise ConversationError(
                f"{words[0]!r} is not understood; fields: {', '.join(self._field_names()) or 'none'}"
            )

    def _features(self, each: Field, text: str) -> int:
        """`VERSION_1 LOG_ALL`, `all that was offered`, `all but LOG_ALL`, `only VERSION_1`, `none`."""
        numbers = each.bits.numbers if each.bits is not None else feature_numbers(self.device)
        text, _, extra = re.sub(r"\bbit (\d+)", r"bit\1", text).partition(", and NOT OFFERED:")
        first, *rest = text.split()
        if text == "none":
            mask = 0
        elif text == "all that was offered":
            mask = self._offered(each)
        elif first == "all" and rest[:1] == ["but"]:
            mask = self._offered(each) & ~word(rest[1:], numbers)
        else:
            mask = word(rest if first == "only" else [first, *rest], numbers)
        return mask | word(extra.split(), numbers)

    def _offered(self, each: Field) -> int:
        connection = self.connection
        offered = None
        if connection is not None and self.row is not None:
            words = (connection.protocol_features, connection.protocol_features, connection.gpu_features)
            told = connection.features if each.meaning is Meaning.VIRTIO_FEATURES else words[self.row.channel]
            offered = told.offered
        if offered is None:
            raise ConversationError("nothing was offered yet")
        return offered

    def _fill_up(self) -> None:
        """Give a tail that is not said the length that the fields say."""
        assert self.layout is not None
        tail = self.layout.tail
        if tail is not None and tail.field.name not in self.fields:
            factors = (each if isinstance(each, int) else self.fields.get(each, 0) for each in tail.length)
            size = prod(factors)
            self.fields[tail.field.name] = config_bytes(self.device, self.config, size) if self.device else zeros(size)


def _hexadecimal(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ConversationError(f"{text!r} is not hexadecimal") from None
