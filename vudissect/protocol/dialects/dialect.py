"""What a dialect is: a named set of changes to upstream as of a certain release, or to another dialect.

The dialects are in the other modules of this package, by family, each listed at the end of its module.
"""

from dataclasses import dataclass, replace
from functools import cache, cached_property

from vudissect.protocol.bits import Bit, BitSet
from vudissect.protocol.features import PROTOCOL_FEATURES
from vudissect.protocol.model import Channel, HeaderRules, Layout, Row
from vudissect.protocol.since import Since
from vudissect.protocol.table import UPSTREAM, Protocol

Place = tuple[Channel, int]


@dataclass(frozen=True, eq=False)
class Dialect:
    """Changes to upstream `as_of` a release, or to another dialect, its `base`.

    What was added to upstream after that release does not exist here. A `living` dialect follows current upstream.

    The messages `removed` do not exist here; `rows` replace the rows with their numbers or add to them. `removed_bits`
    and `bits` do the same for the protocol features. `header` is None if the header is the same as in the base.
    `programs` are prefixes of the command names of programs that use the dialect, if they distinguish them from
    others. A `never_detected` dialect is never detected: the user must select it, because it accepts as valid what
    elsewhere is a mistake.
    """

    key: str
    title: str
    when: str
    who: str
    source: str
    note: str = ""
    programs: tuple[str, ...] = ()
    never_detected: bool = False
    as_of: Since | None = None
    living: bool = False
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
        return self.on(UPSTREAM)

    def on(self, upstream: Protocol) -> Protocol:
        """The table as this dialect would have it if upstream were another one."""
        base = self._starting_from(upstream)
        bits = self._bits(base.protocol_features)
        rows = {(row.channel, row.id): row for row in base.messages if (row.channel, row.id) not in self.removed}
        rows |= {(row.channel, row.id): row for row in self.rows}
        messages = tuple(_showing(row, bits, self.key) for _, row in sorted(rows.items()))
        found = Protocol(self.key, messages, bits, self.header or base.header)
        return upstream if found == upstream else found

    def _starting_from(self, upstream: Protocol) -> Protocol:
        if self.base is not None:
            return self.base.protocol if upstream is UPSTREAM else self.base.on(upstream)
        return upstream if self.as_of is None else upstream.as_of(self.as_of)

    @cached_property
    def changed(self) -> tuple[Row, ...]:
        """The rows that differ from upstream's; a row in which only the names of bits differ does not count."""
        own = {(row.channel, row.id) for row in self.rows if UPSTREAM.request(row.channel, row.id) is not row}
        inherited = {(row.channel, row.id) for row in self.base.changed} if self.base is not None else set()
        return tuple(row for row in self.protocol.messages if (row.channel, row.id) in own | inherited)

    @cached_property
    def missing(self) -> tuple[Row, ...]:
        """The upstream rows whose numbers have no meaning here."""
        return tuple(row for row in UPSTREAM.messages if self.protocol.request(row.channel, row.id) is None)

    @cached_property
    def changed_bits(self) -> tuple[Bit, ...]:
        """The protocol features that are not upstream's."""
        upstream = UPSTREAM.protocol_features.by_number
        return tuple(bit for bit in self.protocol.protocol_features.bits if upstream.get(bit.number) is not bit)

    @cached_property
    def missing_bits(self) -> tuple[Bit, ...]:
        """The upstream protocol features whose numbers have no meaning here."""
        known = self.protocol.protocol_features.by_number
        return tuple(bit for bit in UPSTREAM.protocol_features.bits if bit.number not in known)

    def differences(self, other: "Dialect") -> tuple[tuple[Place, ...], tuple[int, ...]]:
        """The numbers of the messages and protocol features that mean something else in the other dialect."""
        rows, others = self._rows, other._rows
        places = [place for place in sorted({*rows, *others}) if rows.get(place) is not others.get(place)]
        bits, other_bits = self.protocol.protocol_features.by_number, other.protocol.protocol_features.by_number
        numbers = [number for number in sorted({*bits, *other_bits}) if bits.get(number) is not other_bits.get(number)]
        return tuple(places), tuple(numbers)

    @cached_property
    def _rows(self) -> dict[Place, Row]:
        """All rows, including those that differ from upstream's only in the names of bits."""
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


def _showing(row: Row, bits: BitSet, dialect: str) -> Row:
    """A row whose protocol feature words have the names that a dialect gives these bits."""
    words = [field for layout in (*row.request, *row.reply) for field in layout.fields if _is_word(field.bits)]
    if all(field.bits is bits for field in words):
        return row
    request, reply = (tuple(_renamed(each, bits, dialect) for each in forms) for forms in (row.request, row.reply))
    return replace(row, request=request, reply=reply)


@cache
def _renamed(layout: Layout, bits: BitSet, dialect: str) -> Layout:
    if not any(_is_word(field.bits) for field in layout.fields):
        return layout
    fields = tuple(replace(field, bits=bits) if _is_word(field.bits) else field for field in layout.fields)
    return replace(layout, key=f"{layout.key.partition(':')[0]}:{dialect}", fields=fields)


def _is_word(bits: BitSet | None) -> bool:
    return bits is not None and bits.name == PROTOCOL_FEATURES.name


def upstream_row(channel: Channel, number: int) -> Row:
    """The upstream row for a number, to be changed with `dataclasses.replace`."""
    row = UPSTREAM.request(channel, number)
    assert row is not None
    return row
