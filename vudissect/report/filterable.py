"""What the filter of a page knows: the words of the filter language, and the fields of the messages in the page."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from vudissect.filter.fields import Leaf, bit_masks, is_bytes, leaves, words
from vudissect.filter.keys import BLAMES, CHANNELS, SEVERITIES, SIDES, THINGS
from vudissect.filter.language import DEEPEST
from vudissect.filter.messages import spellings
from vudissect.filter.values import SIZES, TIMES
from vudissect.protocol.model import Device, Field, Layout, Row
from vudissect.session.event import Event, Kind
from vudissect.wire.fields import bytes_text

KINDS = list(Kind)
"""Rows have the place of a kind."""

# Nobody writes longer ones in a filter.
_MOST_BYTES = 256

LANGUAGE: Mapping[str, Any] = {
    "from": SIDES,
    "channel": CHANNELS,
    "kind": {kind.value: place for place, kind in enumerate(KINDS)},
    "severity": SEVERITIES,
    "blame": {name: name for name in BLAMES},
    "sizes": SIZES,
    "times": TIMES,
    "things": list(THINGS),
    "deepest": DEEPEST,
}
"""The words before and after an operator, and what they are in the rows of a page."""


class _Shape(NamedTuple):
    place: int
    leaves: Sequence[Leaf]


class Fields:
    """The values of payloads. The names of their fields are in `shapes`, once for each kind of message."""

    def __init__(self) -> None:
        self.shapes: list[dict[str, Any]] = []
        self._known: dict[tuple[Row, Layout, Device | None], _Shape] = {}

    def values(self, event: Event) -> list[Any]:
        """The place of its shape, and the values of each field; nothing if it has none."""
        message = event.message
        if message is None:
            return []
        # The device decides the names of features.
        key = message.row, message.layout, event.after.guess.device
        shape = self._known.get(key) or self._add(*key)
        return [shape.place, *(_values(leaf, message.values) for leaf in shape.leaves)] if shape.leaves else []

    def _add(self, row: Row, layout: Layout, device: Device | None) -> _Shape:
        shape = _Shape(len(self.shapes), tuple(leaves(layout)))
        if shape.leaves:
            self.shapes.append(
                {
                    "names": spellings(row),
                    "words": sorted(words(row, layout)),
                    "leaves": [_leaf(leaf, device) for leaf in shape.leaves],
                }
            )
        self._known[row, layout, device] = shape
        return shape


def _leaf(leaf: Leaf, device: Device | None) -> dict[str, Any]:
    field = leaf.field
    if not isinstance(field, Field):
        return {"path": leaf.path}
    choices: dict[str, list[int]] = {}
    for number, choice in field.choices.items():
        choices.setdefault(choice.lower(), []).append(number)
    bits = bit_masks(field, device)
    known = {"bytes": is_bytes(field), "choices": choices, "bits": bits}
    return {"path": leaf.path} | {name: value for name, value in known.items() if value}


def _values(leaf: Leaf, values: Any) -> Any:
    """One value, or a list of several."""
    found = [*leaf.get(values)]
    if is_bytes(leaf.field):
        meaning = leaf.field.meaning
        found = [bytes_text(meaning, value).lower() if len(value) <= _MOST_BYTES else "" for value in found]
    return found[0] if len(found) == 1 else found
