"""The message table, dialects, devices and rules as Lua tables for the plugin.

Each table is described where it is made. Rows refer to rows of other tables by name, so that a new message or
dialect changes only a few lines.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from vudissect.capture.keys import KEY_PLACES
from vudissect.lint.finding import Severity
from vudissect.lint.rules import ALL_RULES
from vudissect.lint.rules.prerequisites import is_gated
from vudissect.protocol.bits import BitSet
from vudissect.protocol.crypto import SESSION_C1
from vudissect.protocol.devices import DEVICES, config_candidates, config_ends
from vudissect.protocol.dialects import DIALECTS
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.protocol.marks import MARK_WORDS
from vudissect.protocol.model import Channel, Descriptors, Device, FdKind, Field, Gate, Layout, Meaning, Row
from vudissect.protocol.payloads import ACK
from vudissect.protocol.purpose import FEATURE_LISTS, Purpose
from vudissect.protocol.since import Since
from vudissect.protocol.table import UPSTREAM, Protocol
from vudissect.protocol.usual import LATE_AFTER, USUAL_TIMES, UsualTime, may_take_long
from vudissect.session.device import (
    BEST_FEATURES,
    MOST_SIZES,
    NO_FIELD,
    ONLY_SIZE,
    OTHER_FEATURES,
    PROGRAMS,
    SERVED,
    SHARED_SIZE,
)
from vudissect.session.names import PREFIXES
from vudissect.wire.codec import forms
from vudissect.wire.header import LARGEST_REQUEST, USUAL_FLAGS
from vudissect.wireshark.fields import Catalogue, ProtoField
from vudissect.wireshark.literal import entry, literal
from vudissect.wireshark.names import field_name, joined, short, subject

# The rules that the plugin checks.
RULES = (
    *("VU-HDR-01", "VU-HDR-02", "VU-HDR-03", "VU-HDR-04", "VU-HDR-05", "VU-HDR-06", "VU-HDR-07", "VU-HDR-10"),
    *("VU-HDR-12", "VU-FD-01", "VU-FD-02", "VU-FD-03", "VU-FD-04", "VU-FD-09", "VU-NEG-06", "VU-RPL-01"),
    *("VU-RPL-02", "VU-RPL-03", "VU-RPL-04", "VU-RPL-05", "VU-RPL-06", "VU-RPL-07", "VU-RPL-12"),
)

_SEVERITIES = {Severity.ERROR: "ERROR", Severity.WARNING: "WARN", Severity.INFO: "NOTE", Severity.COMPAT: "WARN"}
# More than the size of any configuration space.
_MOST_CONFIG = 2048
_WORD = 64

_DEVICE_WEIGHTS = {
    "served": SERVED,
    "best_features": BEST_FEATURES,
    "other_features": OTHER_FEATURES,
    "no_field": NO_FIELD,
    "most_sizes": MOST_SIZES,
}


class Named:
    """Rows of a Lua table by name, so that a new one does not move the others."""

    def __init__(self) -> None:
        self._rows: dict[str, str] = {}

    def name(self, wanted: str, value: Any, otherwise: str = "") -> str:
        """The name of a value: the wanted one, with `otherwise` if another value already has it."""
        row = literal(value)
        for name in (wanted, f"{wanted}:{otherwise}"):
            if self._rows.setdefault(name, row) == row:
                return name
        raise ValueError(f"two values are called {name}")

    def lua(self) -> str:
        """The table, one row per line."""
        return _lines(entry(name, row) for name, row in self._rows.items())


class Tables:
    """All data of the plugin, as Lua source."""

    def __init__(self, upstream: Protocol = UPSTREAM, dialects: Sequence[Dialect] = DIALECTS) -> None:
        self._upstream = upstream
        self._dialects = [(dialect, dialect.on(upstream)) for dialect in dialects]
        self.catalogue = Catalogue(protocol for _, protocol in self._dialects)
        self._words = Named()
        self._layouts = Named()

    def lua(self) -> str:
        """The source of a table `T` with all tables."""
        self._named_bits(joined("features"), VIRTIO_FEATURES, _WORD)
        rows = (self._row(row) | {"since": _release(row.since)} for row in self._upstream.messages)
        parts = {
            "rows": _lines(literal(row) for row in rows),
            "dialects": _lines(self._dialect(*each) for each in self._dialects),
            "devices": _lines(literal(self._device(device)) for device in DEVICES),
            "config_sizes": literal(_config_sizes()),
            "device_weights": literal(_DEVICE_WEIGHTS),
            "programs": literal({command: _served(names) for command, names in sorted(PROGRAMS.items())}),
            "usual_times": _lines(literal(_usual_time(usual)) for usual in USUAL_TIMES),
            "descriptor_prefixes": literal({int(kind): prefix for kind, prefix in PREFIXES.items()}),
            "largest_request": literal(LARGEST_REQUEST),
            "feature_lists": literal(dict.fromkeys(sorted(purpose.name for purpose in FEATURE_LISTS), True)),
            "usual_flags": literal(dict.fromkeys(sorted(USUAL_FLAGS), True)),
            "mark_texts": literal([[mark.bit_length() - 1, text] for mark, text in MARK_WORDS.items()]),
            "rules": _lines(_rules()),
            "keys": literal([_keys(channel) for channel in Channel]),
            "layouts": self._layouts.lua(),
            "words": self._words.lua(),
        }
        # Last, because the others register their fields.
        parts["fields"] = _lines(_proto_field(field, name) for field, name in self.catalogue.fields.items())
        return "{\n" + "".join(f"{name} = {table},\n" for name, table in parts.items()) + "}"

    def _dialect(self, dialect: Dialect, protocol: Protocol) -> str:
        """The differences from upstream as of a release: messages by channel (from 1, not 0), features, header."""
        as_of = _as_of(dialect)
        there = {*(self._upstream if as_of is None else self._upstream.as_of(as_of)).messages}
        gone = [row for row in there if protocol.request(row.channel, row.id) is None]
        own = [[row for row in protocol.channel(channel) if row not in there] for channel in Channel]
        entries = {
            "key": dialect.key,
            "as_of": _release(as_of) if as_of is not None else None,
            "bits": self._bits_of(protocol),
            "versions": list(protocol.header.versions),
            "error": protocol.header.error.bit_length(),
            "without": [sorted(row.id for row in gone if row.channel is channel) for channel in Channel]
            if gone
            else None,
        }
        rows = (_lines(entry(row.id, literal(self._row(row))) for row in of) if of else "{}" for of in own)
        return f"{literal(entries)[:-1]},rows={{{','.join(rows)}}}}}" if any(own) else literal(entries)

    def _bits_of(self, protocol: Protocol) -> str:
        """The name of the protocol features of a dialect."""
        return self._named_bits(joined("protocol_features"), protocol.protocol_features, _WORD, protocol.key)

    def _row(self, row: Row) -> dict[str, Any]:
        return {
            "id": row.id,
            "channel": int(row.channel),
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
            "may_take_long": may_take_long(row),
        }

    def _layout(self, layout: Layout) -> str:
        """The name of: fixed fields with their offsets, then an array or a tail; sizes in bytes."""
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
            tail = self._field(about, layout, layout.tail.field, layout.fixed_size) | {
                "factors": [
                    factor if isinstance(factor, int) else {"field": _place(layout, factor)}
                    for factor in layout.tail.length
                ],
            }
        return self._layouts.name(
            layout.key,
            {
                "title": layout.title,
                "size": -1 if layout.size is None else layout.size,
                "fixed": layout.fixed_size,
                "fields": fields,
                "array": entry,
                "tail": tail,
                "when": _when(layout),
                "bare": layout.bare,
                "ack": layout is ACK,
                "deviation": layout.words if layout.deviation else None,
                "failure": _failure(layout),
                "is_region": layout.is_region,
                "size_text": layout.size_text,
            },
        )

    def _fields(self, about: str, layout: Layout) -> list[dict[str, Any]]:
        fields, offset = [], 0
        for field in layout.fields:
            fields.append(self._field(about, layout, field, offset))
            offset += field.size
        return fields

    def _field(self, about: str, layout: Layout, field: Field, offset: int) -> dict[str, Any]:
        """`n` name, `o` offset, `z` size, `m` meaning, `f` field, `w` named bits, `p` parts."""
        return {
            "n": field.name,
            "o": offset,
            "z": field.size,
            "m": field.meaning.name,
            "f": self.catalogue.name(self.catalogue.payload(about, field)),
            "raw": field.code.endswith("s"),
            "signed": field.code in "iqbh",
            "w": self._word(field_name(about, field), field, layout),
            "p": [
                {
                    "n": part.name,
                    "low": part.low,
                    "width": part.width,
                    "m": part.meaning.name,
                    "f": self.catalogue.name(self.catalogue.part(about, part.name, part.meaning)),
                }
                for part in field.parts
            ],
        }

    def _word(self, word: str, field: Field, layout: Layout) -> str | None:
        if field.bits is None and field.meaning is not Meaning.VIRTIO_FEATURES:
            return None
        return self._named_bits(word, field.bits or VIRTIO_FEATURES, field.size * 8, layout.key.partition(":")[2])

    def _named_bits(self, word: str, bits: BitSet, width: int, otherwise: str = "") -> str:
        """The name of {bit = {name, field, old names}, unnamed = field} for a word."""
        named: dict[str | int, Any] = {
            bit.number: [
                bit.name,
                self.catalogue.name(self.catalogue.bit(word, bit.name, bit.number, width)),
                *([list(bit.aliases)] if bit.aliases else []),
            ]
            for bit in bits.bits
            if bit.number < _WORD
        }
        named["unnamed"] = self.catalogue.name(self.catalogue.unnamed_bit(word))
        return self._words.name(short(word), named, otherwise)

    def _device(self, device: Device) -> dict[str, Any]:
        """Name, configuration space, its own feature bits, and their number."""
        return {
            "id": device.id,
            "name": device.name,
            "fields": self._fields(f"config.{device.name}", device.config),
            "features": self._named_bits(joined("features", device.name), device.features, _WORD),
            "bits": len(device.features.bits),
            "ends": dict.fromkeys(sorted(config_ends(device)), True),
        }


def _as_of(dialect: Dialect) -> Since | None:
    """The release of upstream that a dialect is ultimately based on; None for the current one."""
    return dialect.as_of if dialect.base is None else _as_of(dialect.base)


def _release(since: Since) -> int | None:
    """A release as a comparable number."""
    major, minor, *_ = (*since.numbers, 0, 0)
    return major * 1000 + minor or None


def _proto_field(field: ProtoField, name: str) -> str:
    """Name, title, type, base, {value = name}, mask, width; and its name here if others share the filter name."""
    own, choices = short(field.name), dict(field.choices)
    row = [own, field.title, field.kind.value, field.base, choices, field.mask, field.width]
    return literal(row if name == own else [*row, name])


def _lines(rows: Iterable[str]) -> str:
    return "{\n" + "".join(f"{row},\n" for row in rows) + "}"


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
    """The size from which on a separate rule reports a payload that does not fit: memory tables, sessions, pictures."""
    if row.purpose is Purpose.REPLACE_MEMORY or SESSION_C1 in row.request:
        return 0
    pictures = (
        layout.fixed_size
        for layout in row.request
        if layout.tail is not None and layout.tail.field.meaning is Meaning.PIXELS
    )
    return min(pictures, default=None)


def _place(layout: Layout, name: str) -> int:
    return next(place for place, field in enumerate(layout.fields, 1) if field.name == name)


def _when(layout: Layout) -> dict[str, Any] | None:
    if layout.when is None:
        return None
    name, allowed = layout.when
    return {"field": _place(layout, name), "values": dict.fromkeys(sorted(allowed), True)}


def _failure(layout: Layout) -> list[int] | None:
    """The bits of the first field that report a failure: the lowest, and how many."""
    if not layout.failure:
        return None
    if layout.failure == -1:
        return [0, 64]
    low = (layout.failure & -layout.failure).bit_length() - 1
    return [low, layout.failure.bit_length() - low]


def _served(names: tuple[str, ...]) -> dict[str, bool]:
    """The devices that a program serves, and whether they are several."""
    return dict.fromkeys(names, True) | ({"several": True} if len(names) > 1 else {})


def _usual_time(usual: UsualTime) -> dict[str, Any]:
    """After how long (ns) answers are late, with the purposes and patterns of command names for which this applies."""
    patterns = ["^" + re.escape(command).replace(r"\*", ".*").replace("\\", "%") + "$" for command in usual.commands]
    return {
        "late_after": max(usual.time, LATE_AFTER),
        "purposes": {purpose.name: True for purpose in usual.purposes},
        "commands": patterns or None,
    }


def _config_sizes() -> dict[int, dict[str, int]]:
    """The weight of a size of the configuration space for each device that has, or once had, that size."""
    found = ((size, config_candidates(size)) for size in range(_MOST_CONFIG))
    return {
        size: dict.fromkeys((device.name for device in devices), ONLY_SIZE if len(devices) == 1 else SHARED_SIZE)
        for size, devices in found
        if devices
    }


def _keys(channel: Channel) -> dict[int, Any]:
    """The places of key material in the messages of a channel, by number: see `KeyPlaces`."""
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
