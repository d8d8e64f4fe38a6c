"""The message table, dialects, devices and rules as the Lua tables that the plugin is driven by.

What a table looks like is told where it is made; numbers in it that stand for another row are its place, from 1.
"""

from collections.abc import Iterator
from typing import Any

from vudissect.capture.keys import KEY_PLACES
from vudissect.lint.finding import Severity
from vudissect.lint.rules import ALL_RULES
from vudissect.lint.rules.prerequisites import is_gated
from vudissect.protocol.bits import BitSet
from vudissect.protocol.crypto import SESSION_C1
from vudissect.protocol.devices import DEVICES, config_candidates
from vudissect.protocol.dialects import DIALECTS
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.protocol.features import GPU_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Channel, Descriptors, Device, FdKind, Field, Gate, Layout, Meaning, Row
from vudissect.protocol.payloads import ACK
from vudissect.protocol.purpose import Purpose
from vudissect.session.device import PROGRAMS
from vudissect.wire.codec import forms
from vudissect.wireshark.fields import Catalogue, ProtoField
from vudissect.wireshark.literal import literal
from vudissect.wireshark.names import field_name, joined, subject

# The rules that the plugin knows.
RULES = (
    *("VU-HDR-01", "VU-HDR-02", "VU-HDR-03", "VU-HDR-04", "VU-HDR-05", "VU-HDR-06", "VU-HDR-07", "VU-HDR-10"),
    *("VU-HDR-12", "VU-FD-01", "VU-FD-02", "VU-FD-03", "VU-FD-04", "VU-FD-09", "VU-NEG-06", "VU-RPL-01"),
    *("VU-RPL-02", "VU-RPL-03", "VU-RPL-04", "VU-RPL-05", "VU-RPL-06", "VU-RPL-07", "VU-RPL-12"),
)

_SEVERITIES = {Severity.ERROR: "ERROR", Severity.WARNING: "WARN", Severity.INFO: "NOTE", Severity.COMPAT: "WARN"}
# More than any configuration space has.
_MOST_CONFIG = 2048
_WORD = 64


class Interned:
    """Rows of a Lua table, equal ones only once."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def place(self, value: Any) -> int:
        """The place of a value, at the end if it is new."""
        return self._places.setdefault(literal(value), len(self._places) + 1)

    def lua(self) -> str:
        """The table, one row a line."""
        return "{\n" + "".join(f"{row},\n" for row in self._places) + "}"


class Tables:
    """Everything that the plugin knows, as Lua source."""

    def __init__(self) -> None:
        self.catalogue = Catalogue()
        self._words = Interned()
        self._choices = Interned()
        self._layouts = Interned()
        self._rows = Interned()
        self._messages: dict[Row, int] = {}

    def lua(self) -> str:
        """The source of a table `T` with all tables."""
        dialects = [self._dialect(dialect) for dialect in DIALECTS]
        devices = [self._device(device) for device in DEVICES]
        parts = {
            "dialects": _lines(literal(dialect) for dialect in dialects),
            "devices": _lines(literal(device) for device in devices),
            "config_sizes": literal(_config_sizes()),
            "programs": literal({command: _device_place(name) for command, name in sorted(PROGRAMS.items())}),
            "features": literal(_bits(VIRTIO_FEATURES)),
            "gpu_features": literal(_bits(GPU_FEATURES)),
            "rules": _lines(_rules()),
            "keys": literal([_keys(channel) for channel in Channel]),
            "rows": self._rows.lua(),
            "layouts": self._layouts.lua(),
            "words": self._words.lua(),
            "choices": self._choices.lua(),
        }
        # Last: the others have asked for their fields.
        parts["fields"] = _lines(self._proto_field(field) for field in list(self.catalogue.numbers))
        parts["choices"] = self._choices.lua()
        return "{\n" + "".join(f"{name} = {table},\n" for name, table in parts.items()) + "}"

    def _proto_field(self, field: ProtoField) -> str:
        choices = self._choices_place(dict(field.choices))
        return literal([field.name, field.title, field.kind.value, field.base, choices, field.mask, field.width])

    def _choices_place(self, choices: dict[int, str]) -> int:
        """The place of {value: name}; 0 for none."""
        return self._choices.place(choices) if choices else 0

    def _dialect(self, dialect: Dialect) -> dict[str, Any]:
        """Rows by channel (from 1, not from 0) and number, protocol features by number and name, header."""
        protocol = dialect.protocol
        return {
            "key": dialect.key,
            "title": dialect.title,
            "rows": [{row.id: self._row(row) for row in protocol.channel(channel)} for channel in Channel],
            "bits": _bits(protocol.protocol_features),
            "versions": list(protocol.header.versions),
            "error": protocol.header.error.bit_length(),
        }

    def _row(self, row: Row) -> int:
        if row not in self._messages:
            self._messages[row] = self._rows.place(
                {
                    "id": row.id,
                    "name": row.name,
                    "answer": row.answer.name,
                    "purpose": row.purpose.name,
                    "request": [self._layout(layout) for layout in forms(row)],
                    "reply": [self._layout(layout) for layout in forms(row, reply=True)],
                    "opens": row.opens is not None,
                    "fds": _descriptors(row.fds),
                    "reply_fds": _descriptors(row.reply_fds),
                    "gate": _gate(row.gate) if is_gated(row, reply=False) else None,
                    "size_rule": _own_size_rule(row),
                    "may_take_long": _may_take_long(row),
                }
            )
        return self._messages[row]

    def _layout(self, layout: Layout) -> int:
        """Fixed fields with their offsets, then an array or a tail; sizes in bytes."""
        about = subject(layout)
        fields = self._fields(about, layout)
        entry: dict[str, Any] | None = None
        if layout.array is not None:
            count = layout.array.count
            entry = {
                "name": layout.array.name,
                "size": layout.array.entry.fixed_size,
                "fields": self._fields(subject(layout.array.entry), layout.array.entry),
                "count": count if isinstance(count, int) else None,
                "counted_by": _place(layout, count) if isinstance(count, str) else None,
                "is_region": layout.array.entry.is_region,
            }
        tail: dict[str, Any] | None = None
        if layout.tail is not None:
            tail = self._field(about, layout.tail.field, layout.fixed_size) | {
                "factors": [
                    factor if isinstance(factor, int) else {"field": _place(layout, factor)}
                    for factor in layout.tail.length
                ],
            }
        return self._layouts.place(
            {
                "name": layout.title,
                "size": -1 if layout.size is None else layout.size,
                "fixed": layout.fixed_size,
                "fields": fields,
                "array": entry,
                "tail": tail,
                "when": _when(layout),
                "bare": layout.bare,
                "ack": layout is ACK,
                "deviation": bool(layout.deviation),
                "failure": _failure(layout),
                "is_region": layout.is_region,
                "size_text": layout.size_text,
            }
        )

    def _fields(self, about: str, layout: Layout) -> list[dict[str, Any]]:
        fields, offset = [], 0
        for field in layout.fields:
            fields.append(self._field(about, field, offset))
            offset += field.size
        return fields

    def _field(self, about: str, field: Field, offset: int) -> dict[str, Any]:
        """`n` name, `o` offset, `z` size, `m` meaning, `f` field, `c` choices, `w` named bits, `p` parts."""
        word = field_name(about, field)
        return {
            "n": field.name,
            "o": offset,
            "z": field.size,
            "m": field.meaning.name,
            "f": self.catalogue.number(self.catalogue.payload(about, field)),
            "raw": field.code.endswith("s"),
            "signed": field.code in "iqbh",
            "c": self._choices_place(dict(field.choices)) or None,
            "w": self._word(word, field),
            "p": [
                {
                    "n": part.name,
                    "low": part.low,
                    "width": part.width,
                    "m": part.meaning.name,
                    "f": self.catalogue.number(self.catalogue.part(about, part.name, part.meaning)),
                }
                for part in field.parts
            ],
        }

    def _word(self, word: str, field: Field) -> int | None:
        if field.bits is None and field.meaning is not Meaning.VIRTIO_FEATURES:
            return None
        return self._named_bits(word, field.bits or VIRTIO_FEATURES, field.size * 8)

    def _named_bits(self, word: str, bits: BitSet, width: int) -> int:
        """The place of {bit = {name, field}, unnamed = field} for a word."""
        named: dict[str | int, Any] = {
            bit.number: [bit.name, self.catalogue.number(self.catalogue.bit(word, bit.name, bit.number, width))]
            for bit in bits.bits
            if bit.number < _WORD
        }
        named["unnamed"] = self.catalogue.number(self.catalogue.unnamed_bit(word))
        return self._words.place(named)

    def _device(self, device: Device) -> dict[str, Any]:
        """Name, configuration space, and the feature bits of its own, all of them counted."""
        about = f"config.{device.name}"
        return {
            "id": device.id,
            "name": device.name,
            "fields": self._fields(about, device.config),
            "features": self._named_bits(joined("features", device.name), device.features, 64),
            "bits": len(device.features.bits),
        }


def _lines(rows: Iterator[str]) -> str:
    return "{\n" + "".join(f"{row},\n" for row in rows) + "}"


def _bits(bits: BitSet) -> dict[str, Any]:
    """`names` by number, `numbers` by name and old name."""
    return {"names": {bit.number: bit.name for bit in bits.bits}, "numbers": bits.numbers}


def _descriptors(taken: Descriptors) -> dict[str, Any] | None:
    if taken.kind is FdKind.NONE and not (taken.least or taken.most or taken.per or taken.unless):
        return None
    return {
        "kind": taken.kind.value,
        "least": taken.least or None,
        "most": taken.most or None,
        "per": taken.per,
        "unless": taken.unless,
    }


def _gate(gate: Gate) -> dict[str, Any]:
    return {
        "protocol": list(gate.protocol),
        "virtio": list(gate.virtio),
        "phase": gate.phase.value if gate.protocol or gate.virtio else None,
    }


def _own_size_rule(row: Row) -> int | None:
    """From which size on a rule of its own speaks of a payload that does not fit: memory tables, sessions, pictures."""
    if row.purpose is Purpose.REPLACE_MEMORY or SESSION_C1 in row.request:
        return 0
    pictures = (
        layout.fixed_size
        for layout in row.request
        if layout.tail is not None and layout.tail.field.meaning is Meaning.PIXELS
    )
    return min(pictures, default=None)


def _may_take_long(row: Row) -> bool:
    return row.channel is Channel.GPU and (bool(row.gate.gpu) or not any(layout.size for layout in row.reply))


def _place(layout: Layout, name: str) -> int:
    return next(place for place, field in enumerate(layout.fields, 1) if field.name == name)


def _when(layout: Layout) -> dict[str, Any] | None:
    if layout.when is None:
        return None
    name, allowed = layout.when
    return {"field": _place(layout, name), "values": dict.fromkeys(sorted(allowed), True)}


def _failure(layout: Layout) -> list[int] | None:
    """Which bits of the first field tell of a failure: the lowest, and how many."""
    if not layout.failure:
        return None
    if layout.failure == -1:
        return [0, 64]
    low = (layout.failure & -layout.failure).bit_length() - 1
    return [low, layout.failure.bit_length() - low]


def _device_place(name: str) -> int:
    return next(place for place, device in enumerate(DEVICES, 1) if device.name == name)


def _config_sizes() -> dict[int, int]:
    """The device type whose configuration space has, or has had, a size, where there is just one."""
    found = ((size, config_candidates(size)) for size in range(_MOST_CONFIG))
    return {size: DEVICES.index(devices[0]) + 1 for size, devices in found if len(devices) == 1}


def _keys(channel: Channel) -> dict[int, Any]:
    """Where the messages of a channel have key material, by number: see `KeyPlaces`."""
    return {
        number: {"by_size": {size: list(map(list, spans)) for size, spans in places.by_size.items()}}
        | {"otherwise": places.otherwise}
        for (of_channel, number), places in KEY_PLACES.items()
        if of_channel is channel
    }


def _rules() -> Iterator[str]:
    by_id = {rule.id: rule for rule in ALL_RULES}
    for number in RULES:
        rule = by_id[number]
        yield literal({"id": rule.id, "severity": _SEVERITIES[rule.severity], "statement": rule.statement})
