"""What a dialect is: a named set of changes to the rows and feature bits of another, in the end of upstream.

The dialects themselves stand beside this file, by family; `vudissect.protocol.dialects` lists them all.
"""

from dataclasses import dataclass, replace
from functools import cached_property

from vudissect.protocol.features import PROTOCOL_FEATURES
from vudissect.protocol.model import Bit, BitSet, Channel, HeaderRules, Layout, Row
from vudissect.protocol.table import UPSTREAM, Protocol

Place = tuple[Channel, int]


@dataclass(frozen=True, eq=False)
class Dialect:
    """Changes to `base` (to upstream where it is None).

    The messages `removed` do not exist here, `rows` replace those of their numbers or add to them; `removed_bits` and
    `bits` do the same for the protocol features. `header` is None where the header is as in the base. `programs` are
    the beginnings of the command names of those who speak it, where that tells them from others. `told_only`: in force
    only if the user says so, since it takes for right what elsewhere is a mistake.
    """

    key: str
    title: str
    when: str
    who: str
    source: str
    note: str = ""
    programs: tuple[str, ...] = ()
    told_only: bool = False
    base: "Dialect | None" = None
    rows: tuple[Row, ...] = ()
    removed: tuple[Place, ...] = ()
    bits: tuple[Bit, ...] = ()
    removed_bits: tuple[int, ...] = ()
    header: HeaderRules | None = None

    def __repr__(self) -> str:
        return f"<Dialect {self.key}>"

    @cached_property
    def protocol(self) -> Protocol:
        """The table as this dialect has it."""
        base = self.base.protocol if self.base is not None else UPSTREAM
        if not (self.rows or self.removed or self.bits or self.removed_bits or self.header):
            return base if self.base is None else replace(base, key=self.key)
        bits = self._bits(base.protocol_features)
        rows = {(row.channel, row.id): row for row in base.messages if (row.channel, row.id) not in self.removed}
        rows |= {(row.channel, row.id): row for row in self.rows}
        messages = tuple(_showing(row, bits) for _, row in sorted(rows.items()))
        return Protocol(self.key, messages, bits, self.header or base.header)

    @cached_property
    def changed(self) -> tuple[Row, ...]:
        """The rows that are not upstream's; a row in which only the names of bits differ is."""
        own = {(row.channel, row.id) for row in self.rows}
        inherited = {(row.channel, row.id) for row in self.base.changed} if self.base is not None else set()
        return tuple(row for row in self.protocol.messages if (row.channel, row.id) in own | inherited)

    @cached_property
    def missing(self) -> tuple[Row, ...]:
        """The rows of upstream whose numbers mean nothing here."""
        return tuple(row for row in UPSTREAM.messages if self.protocol.request(row.channel, row.id) is None)

    @cached_property
    def changed_bits(self) -> tuple[Bit, ...]:
        """The protocol features that are not upstream's."""
        upstream = UPSTREAM.protocol_features.by_number
        return tuple(bit for bit in self.protocol.protocol_features.bits if upstream.get(bit.number) is not bit)

    @cached_property
    def missing_bits(self) -> tuple[Bit, ...]:
        """The protocol features of upstream whose numbers mean nothing here."""
        known = self.protocol.protocol_features.by_number
        return tuple(bit for bit in UPSTREAM.protocol_features.bits if bit.number not in known)

    def differences(self, other: "Dialect") -> tuple[tuple[Place, ...], tuple[int, ...]]:
        """The messages and protocol features, by number, of which the two make something else."""
        rows, others = self._rows, other._rows
        places = [place for place in sorted({*rows, *others}) if rows.get(place) is not others.get(place)]
        bits, other_bits = self.protocol.protocol_features.by_number, other.protocol.protocol_features.by_number
        numbers = [number for number in sorted({*bits, *other_bits}) if bits.get(number) is not other_bits.get(number)]
        return tuple(places), tuple(numbers)

    @cached_property
    def _rows(self) -> dict[Place, Row]:
        """All rows, those that only show other names of bits as upstream has them."""
        changed = {(row.channel, row.id): row for row in self.changed}
        kept = {(row.channel, row.id) for row in self.protocol.messages}
        upstream = {(row.channel, row.id): row for row in UPSTREAM.messages if (row.channel, row.id) in kept}
        return upstream | changed

    def _bits(self, base: BitSet) -> BitSet:
        if not self.bits and not self.removed_bits:
            return base
        bits = {bit.number: bit for bit in base.bits if bit.number not in self.removed_bits}
        bits |= {bit.number: bit for bit in self.bits}
        return BitSet(base.name, tuple(bit for _, bit in sorted(bits.items())), self.source)


def _showing(row: Row, bits: BitSet) -> Row:
    """A row whose words of protocol features have these bits' names."""
    words = [field for layout in (*row.request, *row.reply) for field in layout.fields if _is_word(field.bits)]
    if all(field.bits is bits for field in words):
        return row
    return replace(row, request=_renamed(row.request, bits), reply=_renamed(row.reply, bits))


def _renamed(layouts: tuple[Layout, ...], bits: BitSet) -> tuple[Layout, ...]:
    return tuple(
        replace(
            layout,
            fields=tuple(replace(field, bits=bits) if _is_word(field.bits) else field for field in layout.fields),
        )
        for layout in layouts
    )


def _is_word(bits: BitSet | None) -> bool:
    return bits is not None and bits.name == PROTOCOL_FEATURES.name


def upstream_row(channel: Channel, number: int) -> Row:
    """The row that upstream has for a number, to be changed with `dataclasses.replace`."""
    row = UPSTREAM.request(channel, number)
    assert row is not None
    return row


def later_than(*, main: int | None = None, backend: int | None = None, gpu: int | None = None) -> tuple[Place, ...]:
    """The messages of upstream above these numbers, to be removed; a channel that is not named stays whole."""
    last = {Channel.MAIN: main, Channel.BACKEND: backend, Channel.GPU: gpu}
    return tuple(
        (row.channel, row.id)
        for row in UPSTREAM.messages
        if (limit := last[row.channel]) is not None and row.id > limit
    )


def bits_above(last: int) -> tuple[int, ...]:
    """The protocol features of upstream above this number, to be removed."""
    return tuple(bit.number for bit in PROTOCOL_FEATURES.bits if bit.number > last)
