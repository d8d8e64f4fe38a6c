"""Fields of the payload in a filter: `num`, `vring.num`, `SET_MEM_TABLE.regions.size`, as the table names them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, NamedTuple, TypeGuard

from vudissect.filter.errors import FilterError, unknown
from vudissect.filter.messages import rows, spellings
from vudissect.filter.values import OPERATORS, Comparison, Findings, Numbers, Predicate, number_of
from vudissect.protocol.devices import DEVICES
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.protocol.model import BitField, Device, Field, Layout, Meaning, Row
from vudissect.protocol.payloads import ACK
from vudissect.protocol.table import plain_name
from vudissect.session.event import Event
from vudissect.wire.fields import bytes_text
from vudissect.wire.layout import Values

Test = Callable[[Any, Event], bool]
"""Whether a decoded value satisfies the comparison."""


class Leaf(NamedTuple):
    """A value in a payload: its path, its field, and how to get it; several values in an array."""

    path: str
    field: Field | BitField
    get: Callable[[Values], Iterable[Any]]


def leaves(layout: Layout) -> Iterator[Leaf]:
    """The values of a payload, including those in the entries of its array."""
    for position, field in enumerate(layout.fields):
        yield from _leaves_of(field, position)
    rest = len(layout.fields)
    if layout.tail is not None:
        yield from _leaves_of(layout.tail.field, rest)
    if layout.array is not None:
        for leaf in leaves(layout.array.entry):
            yield Leaf(f"{layout.array.name}.{leaf.path}", leaf.field, _of_entries(rest, leaf))


def _leaves_of(field: Field, position: int) -> Iterator[Leaf]:
    if not field.parts:
        yield Leaf(field.name, field, lambda values: (values[position],))
    for part in field.parts:
        yield Leaf(part.name, part, _part(position, part))


def _part(position: int, part: BitField) -> Callable[[Values], Iterable[int]]:
    return lambda values: ((values[position] & part.mask) >> part.low,)


def _of_entries(position: int, leaf: Leaf) -> Callable[[Values], Iterable[Any]]:
    return lambda values: (value for entry in values[position] for value in leaf.get(entry))


def rings(event: Event) -> Sequence[int]:
    """The rings that a message names."""
    message = event.message
    get = rings_of(message.layout) if message is not None else None
    return get(message.values) if message is not None and get is not None else ()


@cache
def rings_of(layout: Layout) -> Callable[[Values], list[int]] | None:
    """Reads the rings that payloads of this layout name; None if they name none."""
    found = tuple(leaf.get for leaf in leaves(layout) if leaf.field.meaning is Meaning.RING)
    return (lambda values: [ring for get in found for ring in get(values)]) if found else None


def field(comparison: Comparison, keys: Iterable[str]) -> Predicate:
    """Messages with a field of this name whose value satisfies the comparison.

    `FilterError` if no message of any dialect has such a field, or none that can have this value; `keys` are other
    names to suggest.
    """
    name = comparison.name.text
    if not any(reads(name, row, layout, leaf) for row, layout, leaf in _all_leaves()):
        raise unknown("name", comparison.name, {*_names(), *keys})
    tests = (_test(leaf.field, comparison) for row, layout, leaf in _all_leaves() if reads(name, row, layout, leaf))
    if all(test is None for test in tests):
        raise _no_such_value(comparison)
    asked: dict[tuple[Row, Layout], list[tuple[Leaf, Test]]] = {}
    denied = comparison.operator == "!="

    def holds(event: Event, _: Findings) -> bool:
        message = event.message
        if message is None:
            return False
        key = (message.row, message.layout)
        tests = asked.get(key)
        if tests is None:
            layout = message.layout
            found = (leaf for leaf in leaves(layout) if reads(name, message.row, layout, leaf))
            tests = asked[key] = [(leaf, _test(leaf.field, comparison) or _never) for leaf in found]
        answers = [test(value, event) for leaf, test in tests for value in leaf.get(message.values)]
        return bool(answers) and not any(answers) if denied else any(answers)

    return holds


def numbers(name: str) -> Numbers:
    """The messages that have a field of this name."""
    return frozenset((row.channel, row.id) for row, layout, leaf in _all_leaves() if reads(name, row, layout, leaf))


def ring_numbers() -> Numbers:
    """The messages that name a ring."""
    return frozenset((row.channel, row.id) for row, _, leaf in _all_leaves() if leaf.field.meaning is Meaning.RING)


def _never(_value: Any, _event: Event) -> bool:
    return False


def _all_leaves() -> Iterator[tuple[Row, Layout, Leaf]]:
    seen: set[Row] = set()
    for row in rows():
        if row not in seen:
            seen.add(row)
            for layout in dict.fromkeys((*row.request, *row.reply, ACK)):
                for leaf in leaves(layout):
                    yield row, layout, leaf


def words(row: Row, layout: Layout) -> set[str]:
    """What can be before the name of a field besides the name of its message."""
    return {word for text in (*spellings(row), layout.form[0]) for word in text.lower().split("_")}


def _names() -> set[str]:
    """The names to suggest: all paths, and those after a word of the message."""
    paths = {leaf.path for _, _, leaf in _all_leaves()}
    return paths | {f"{word}.{leaf.path}" for row, layout, leaf in _all_leaves() for word in words(row, layout)}


def reads(name: str, row: Row, layout: Layout, leaf: Leaf) -> bool:
    """Whether a name refers to this value.

    It is the path or its end, optionally after a message, or a word of the message's name or of the payload's name in
    the table.
    """
    path = name.lower()
    if leaf.path == path or leaf.path.endswith(f".{path}"):
        return True
    qualifier, dot, rest = path.partition(".")
    if not dot or not (leaf.path == rest or leaf.path.endswith(f".{rest}")):
        return False
    pattern = plain_name(qualifier)
    return qualifier in words(row, layout) or any(fnmatchcase(spelling, pattern) for spelling in spellings(row))


def _test(field: Field | BitField, comparison: Comparison) -> Test | None:
    """How to compare values of a field; None if it cannot have such a value. `!=` tests for equality."""
    text = comparison.value.text
    holds = OPERATORS["=" if comparison.operator == "!=" else comparison.operator]
    if is_bytes(field):
        return _bytes_test(field, text) if comparison.is_equality else None
    number = number_of(text)
    if number is not None:
        return lambda value, _: holds(value, number)
    if isinstance(field, BitField) or not comparison.is_equality:
        return None
    choices = [number for number, choice in field.choices.items() if choice.lower() == text.lower()]
    if choices:
        return lambda value, _: value in choices
    return _bit_test(field, text.upper())


def is_bytes(field: Field | BitField) -> TypeGuard[Field]:
    """Whether its values are compared as text."""
    return isinstance(field, Field) and field.code.endswith("s")


def _bytes_test(field: Field, text: str) -> Test:
    meaning, wanted = field.meaning, text.lower()
    return lambda value, _: bytes_text(meaning, value).lower() == wanted


def _bit_test(field: Field, name: str) -> Test | None:
    """Whether a bit of this name is set."""
    if field.meaning is Meaning.VIRTIO_FEATURES:
        if name not in virtio_names():
            return None
        return lambda value, event: bool(value & bit_masks(field, event.after.guess.device).get(name, 0))
    mask = bit_masks(field, None).get(name, 0)
    return (lambda value, _: bool(value & mask)) if mask else None


@cache
def bit_masks(field: Field, device: Device | None) -> Mapping[str, int]:
    """The bits of a field that have names; the device decides some virtio features."""
    if field.meaning is not Meaning.VIRTIO_FEATURES:
        return {name: field.bits.known(name) for name in field.bits.numbers} if field.bits is not None else {}
    own = device.features if device is not None else VIRTIO_FEATURES
    return {name: own.known(name) or VIRTIO_FEATURES.known(name) for name in (*own.numbers, *VIRTIO_FEATURES.numbers)}


def virtio_names() -> set[str]:
    """The names of the feature bits of all devices."""
    return {
        name for features in (VIRTIO_FEATURES, *(device.features for device in DEVICES)) for name in features.numbers
    }


def _no_such_value(comparison: Comparison) -> FilterError:
    known: dict[str, None] = {}
    for row, layout, leaf in _all_leaves():
        field = leaf.field
        if isinstance(field, Field) and reads(comparison.name.text, row, layout, leaf):
            known |= dict.fromkeys(field.choices.values())
            known |= dict.fromkeys(field.bits.numbers if field.bits is not None else ())
            known |= dict.fromkeys(virtio_names() if field.meaning is Meaning.VIRTIO_FEATURES else ())
    if comparison.value.text.lower() in {name.lower() for name in known}:
        comparison.needs_equality()
    return unknown(f"value of {comparison.name}:", comparison.value, known)
