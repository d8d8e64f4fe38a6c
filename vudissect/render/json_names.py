"""What the numbers of a payload mean, for programs: names of bits and values, and places of addresses, as JSON."""

from collections.abc import Callable
from functools import cache
from json import JSONEncoder
from typing import Any

from vudissect.protocol.bits import BitSet
from vudissect.protocol.devices import feature_names
from vudissect.protocol.model import Field, Layout, Meaning
from vudissect.session.state import State
from vudissect.wire.layout import Values

Write = Callable[[Values, State], str]

_dumps = JSONEncoder(separators=(",", ":"), check_circular=False).encode


@cache
def names_writer(layout: Layout) -> Write | None:
    """A function from the values of this layout and the state to an object; None if no number has another meaning.

    Fields of bits are lists of names, others a name, or null if the number has none. Addresses are places in the
    memory map, such as `region0+0x1000`, or null.
    """
    # As in a transcript: an expression takes a fraction of the time of a loop over the fields.
    names: dict[str, Any] = {"null": "null"}
    parts = []
    for position, field in enumerate(layout.fields):
        write = None if layout.is_region else _writer(field)
        if write is not None:
            names[f"field{position}"] = write
            given = f"v[{position}], null" if isinstance(write, dict) else f"v[{position}], s"
            parts.append(f"{_dumps(field.name)}:{{field{position}{'.get' * isinstance(write, dict)}({given})}}")
    if not parts:
        return None
    text: Write = eval(f"lambda v, s: f'{{{{{','.join(parts)}}}}}'", names)
    return text


def _writer(field: Field) -> Callable[[int, State], str] | dict[int, str] | None:
    """A function from a value to its JSON, or the JSON of all values that have a name; None if none has."""
    if field.meaning is Meaning.VIRTIO_FEATURES:
        return lambda value, state: _dumps(feature_names(state.guess.device, value))
    if field.bits is not None:
        return _bits(field.bits)
    if field.choices:
        return {value: _dumps(name) for value, name in field.choices.items()}
    return _PLACES.get(field.meaning)


def _bits(bits: BitSet) -> Callable[[int, State], str]:
    return lambda value, _: _dumps(bits.names(value)) if value else "[]"


def _ring_address(value: int, state: State) -> str:
    place = state.ring_address(value)
    return f'"region{place.region.number}+{place.offset:#x}"' if place else "null"


def _user_address(value: int, state: State) -> str:
    region = state.memory.by_user.at(value)
    return f'"region{region.number}+{value - region.user_addr:#x}"' if region else "null"


_PLACES = {Meaning.RING_ADDRESS: _ring_address, Meaning.USER_ADDRESS: _user_address}
