"""Actions that change the bytes of a message: fields, feature bits, flags, its length."""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from vudissect.faults.action import ACTIONS, Action, Words
from vudissect.faults.errors import FaultError, ImpossibleError
from vudissect.faults.plan import Plan, Target
from vudissect.filter import FilterError, compile_filter
from vudissect.filter.errors import Token, unknown
from vudissect.filter.fields import Leaf, bit_masks, is_bytes, leaves, reads, virtio_names
from vudissect.filter.values import number_of
from vudissect.protocol.features import PROTOCOL_FEATURES
from vudissect.protocol.model import BitField, Field, Layout, Meaning, Row
from vudissect.wire.codec import codec_of, layout_codec
from vudissect.wire.errors import FieldError
from vudissect.wire.header import NEED_REPLY, REPLY, VERSION_MASK, struct_of
from vudissect.wire.layout import Values

_HEADER_FIELDS = {"header.id": 0, "header.flags": 1, "header.size": 2}
_MOST = (1 << 32) - 1
_INDEX = re.compile(r"\[(\d{1,5})\]")
_FLAGS = {"need_reply": NEED_REPLY, "reply": REPLY, "version": VERSION_MASK}
_MOST_BIT = 32


@ACTIONS.action(
    "set",
    "FIELD=VALUE ...",
    "change fields, named as in a filter (`num=5`, `regions[1].size=0`), or header.id, header.flags, header.size",
    "8, 14, 19, 25, 31, 35, 41: a value that the other side does not expect",
)
def set_field(words: Words) -> Action:
    """Other values."""
    changes = [_change(token, words) for token in words.rest("FIELD=VALUE")]

    def apply(plan: Plan, target: Target) -> Plan:
        for change in changes:
            plan = change(plan, target)
        return plan

    return _changing(apply, "it has these values already")


def _changing(action: Action, otherwise: str) -> Action:
    """An action that is impossible where it changes nothing."""

    def apply(plan: Plan, target: Target) -> Plan:
        changed = action(plan, target)
        if changed.message.data == plan.message.data:
            raise ImpossibleError(otherwise)
        return changed

    return apply


def _change(token: Token, words: Words) -> Action:
    name, sign, text = token.text.partition("=")
    if not (name and sign and text):
        raise FaultError(token.column, f"expected FIELD=VALUE, as in num=5, not {token}")
    if name in _HEADER_FIELDS:
        number = number_of(text)
        if number is None or not 0 <= number <= _MOST:
            raise FaultError(token.column + len(name) + 1, f"{name} needs a number of 32 bits, not {text}")
        return lambda plan, target: _with_header(plan, target, _HEADER_FIELDS[name], lambda _: number)
    plain, index = _INDEX.sub("", name), _INDEX.search(name)
    try:
        compile_filter(f"{plain}={text}")
    except FilterError as error:
        raise FaultError(token.column + error.column - 1, error.reason) from None
    _check_field(plain, text, token, words)
    entry = int(index[1]) if index else None

    def other_value(place: Place, value: Any, target: Target) -> Any:
        if not reads(plain, target.event.message.row, place.layout, Leaf(place.path, place.field, _no_values)):
            return None
        return _placed(place.field, value, _value(place.field, text, target))

    return lambda plan, target: _with_fields(plan, target, other_value, entry)


def _check_field(name: str, text: str, token: Token, words: Words) -> None:
    """`FaultError` if none of the messages that can match has this field, or the number does not fit into it."""
    if words.rows is None:
        return
    every = [(row, layout, leaf) for row, layout in _layouts(words.rows) for leaf in leaves(layout)]
    found = [leaf.field for row, layout, leaf in every if reads(name, row, layout, leaf)]
    if not found:
        if not words.no:
            raise FaultError(token.column, f"{words.about} has a field {name}")
        known = ", ".join(dict.fromkeys(leaf.path for _, _, leaf in every)) or "none"
        raise FaultError(token.column, f"{words.about} has no field {name}; its fields: {known}")
    number = number_of(text)
    most = max((_most(field) for field in found), default=0)
    if number is not None and not 0 <= number <= most and not any(map(is_bytes, found)):
        raise FaultError(token.column + token.text.index("=") + 1, f"{name} needs a number from 0 to {most:#x}")


def _layouts(rows: Collection[Row]) -> Iterator[tuple[Row, Layout]]:
    return ((row, layout) for row in rows for layout in (*row.request, *row.reply))


def _most(field: Field | BitField) -> int:
    return field.mask >> field.low if isinstance(field, BitField) else (1 << 8 * field.size) - 1


class Place(NamedTuple):
    """A field of a payload: its path, and the layout that it is in."""

    layout: Layout
    path: str
    field: Field | BitField


Change = Callable[[Place, Any, Target], Any]
"""The value that a place gets, from the one that it has; None if it stays."""


def _no_values(_: Values) -> tuple[Any, ...]:
    return ()


def _with_fields(plan: Plan, target: Target, change: Change, entry: int | None = None) -> Plan:
    """The plan with other values; `entry`: only in this entry of an array."""
    sending, protocol = plan.message, target.event.after.protocol
    message = codec_of(protocol, target.offer.byte_order).decode(sending.channel, sending.sender, sending.data)
    if not message.fits:
        raise ImpossibleError("its payload has no known form")
    layout = message.layout
    values, is_changed = _changed(layout, layout, "", message.values, change, target)
    array = layout.array
    if array is not None:
        entries = list(values[-1])
        for place in range(len(entries)) if entry is None else (entry,) if entry < len(entries) else ():
            found = _changed(layout, array.entry, f"{array.name}.", entries[place], change, target)
            entries[place], is_changed = found[0], is_changed or found[1]
        values = (*values[:-1], tuple(entries))
    if not is_changed:
        raise ImpossibleError(f"{message.name} has nothing of this name here")
    try:
        payload = layout_codec(layout, target.offer.byte_order).encode(values, message.name)
    except FieldError as error:
        raise ImpossibleError(str(error)) from None
    return plan.with_message(sending.with_payload(payload, target.offer.byte_order))


def _changed(
    whole: Layout, layout: Layout, start: str, values: Values, change: Change, target: Target
) -> tuple[Values, bool]:
    """The fixed fields with other values, and whether any is meant."""
    changed, is_changed = list(values), False
    for position, field in enumerate(layout.fields):
        for part in field.parts or (field,):
            value = change(Place(whole, start + part.name, part), changed[position], target)
            if value is not None:
                changed[position], is_changed = value, True
    return tuple(changed), is_changed


def _placed(field: Field | BitField, whole: Any, value: Any) -> Any:
    """The value of a field, of which this is perhaps only a part."""
    if isinstance(field, Field):
        return value
    return whole & ~field.mask | value << field.low & field.mask


def _value(field: Field | BitField, text: str, target: Target) -> Any:
    """The value that a text means for a field; `ImpossibleError`."""
    if isinstance(field, Field) and field.code.endswith("s"):
        try:
            return bytes.fromhex(text.replace(":", "").replace("-", "")).ljust(field.size, b"\0")
        except ValueError:
            raise ImpossibleError(f"{text} is not hexadecimal") from None
    number = number_of(text)
    if number is not None:
        return number
    choices = {} if isinstance(field, BitField) else {name.lower(): key for key, name in field.choices.items()}
    if text.lower() in choices:
        return choices[text.lower()]
    return _bit(field, text, target)


def _bit(field: Field | BitField, name: str, target: Target) -> int:
    """The bit that a name means for a field; `ImpossibleError` if it has none."""
    device = target.event.after.guess.device
    bit = bit_masks(field, device).get(name.upper(), 0) if isinstance(field, Field) else 0
    if not bit:
        raise ImpossibleError(f"{name} means nothing in {field.name}")
    return bit


def _with_header(plan: Plan, target: Target, place: int, change: Callable[[int], int]) -> Plan:
    sending, codec = plan.message, struct_of("III", target.offer.byte_order)
    words = list(codec.unpack_from(sending.data))
    words[place] = change(words[place])
    return plan.with_message(replace(sending, data=codec.pack(*words) + sending.payload))


@ACTIONS.action(
    "mask",
    "FEATURE ...",
    "clear feature bits (names or numbers) in an offer or an acknowledgement",
    "1, 4, 15, 17, 18, 30, 32, 38, 45: a peer that lacks a feature, or believes in one that is not in effect",
)
def mask(words: Words) -> Action:
    """Without these features."""
    return _changing(_features(words, lambda word, bits: word & ~bits), "it has none of these features")


@ACTIONS.action(
    "unmask",
    "FEATURE ...",
    "set them",
    "18, 26, 39, 63: a feature that was not offered, or a bit that is new",
)
def unmask(words: Words) -> Action:
    """With these features."""
    return _changing(_features(words, lambda word, bits: word | bits), "it has these features already")


def _features(words: Words, combine: Callable[[int, int], int]) -> Action:
    wanted = words.rest("the name of a feature")
    if words.rows is not None and not any(
        _has_features(leaf.field) for _, layout in _layouts(words.rows) for leaf in leaves(layout)
    ):
        raise FaultError(words.name.column, f"{words.about} has {words.no}features")
    known = {*PROTOCOL_FEATURES.numbers, *virtio_names()}
    for token in wanted:
        number = number_of(token.text)
        if number is None and token.text.upper() not in known:
            error = unknown("feature", token, known, token.text.upper())
            raise FaultError(
                error.column,
                f"{error.reason.removesuffix('?')}, or the number of a bit?"
                if error.reason.endswith("?")
                else f"{error.reason}; a bit may also have its number",
            )
        if number is not None and not 0 <= number < 64:
            raise FaultError(token.column, f"a feature has a bit from 0 to 63, not {token}")

    def other_word(place: Place, value: Any, target: Target) -> Any:
        field = place.field
        if isinstance(field, BitField) or not _has_features(field):
            return None
        bits = 0
        for token in wanted:
            number = number_of(token.text)
            bits |= _bit(field, token.text, target) if number is None else 1 << number
        return combine(value, bits)

    return lambda plan, target: _with_fields(plan, target, other_word)


def _has_features(field: Field | BitField) -> bool:
    return isinstance(field, Field) and (field.meaning is Meaning.VIRTIO_FEATURES or field.bits is not None)


@ACTIONS.action(
    "flip",
    "need_reply | reply | version | BIT",
    "invert a flag of the header, or the bit with this number",
    "2, 7, 15, 38, 60: NEED_REPLY that is set without REPLY_ACK, or missing where it is needed",
)
def flip(words: Words) -> Action:
    """A corrupt flag."""
    token = words.take("a flag")
    number = number_of(token.text)
    if token.text.lower() not in _FLAGS and (number is None or not 0 <= number < _MOST_BIT):
        raise FaultError(token.column, f"expected need_reply, reply, version or a bit from 0 to 31, not {token}")
    bits = _FLAGS[token.text.lower()] if number is None else 1 << number
    return lambda plan, target: _with_header(plan, target, _HEADER_FIELDS["header.flags"], lambda flags: flags ^ bits)


@ACTIONS.action(
    "truncate",
    "BYTES",
    "keep only so many bytes of the payload; the size in the header is changed accordingly",
    "12, 13, 31: a payload of another size, as older programs send it",
)
def truncate(words: Words) -> Action:
    """A shorter payload."""
    size = words.number("how many bytes of the payload to keep")

    def apply(plan: Plan, target: Target) -> Plan:
        payload = plan.message.payload
        if size >= len(payload):
            raise ImpossibleError(f"its payload has only {len(payload)} bytes")
        return plan.with_message(plan.message.with_payload(payload[:size], target.offer.byte_order))

    return apply
