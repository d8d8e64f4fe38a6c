"""The evidence against a dialect in a message, as a table of small questions with weights.

A sighting is checked against the rows of a dialect: unknown number, header, payload, descriptors, features, values.
What no row can describe (addresses, habits of a program) comes last. No message or dialect is named here.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import cache
from typing import NamedTuple

from vudissect.host.descriptor import DescriptorKind
from vudissect.protocol.bits import set_bits
from vudissect.protocol.features import F_LOG_ALL, VIRTIO_FEATURES
from vudissect.protocol.model import Channel, FdKind, Layout, Meaning, PhaseNeeded, Row
from vudissect.protocol.payloads import LIVE_MIGRATION
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import UPSTREAM, Protocol
from vudissect.protocol.unknown import NO_LAYOUT, unknown_row
from vudissect.wire.codec import forms, layout_codec
from vudissect.wire.header import VERSION_MASK, ByteOrder
from vudissect.wire.layout import Values

# On a 64-bit machine, mappings of a process are above this address; guests have less memory.
_HOST_POINTERS = 1 << 46

_KINDS: Mapping[FdKind, frozenset[DescriptorKind]] = {
    FdKind.SOCKET: frozenset({DescriptorKind.SOCKET}),
    FdKind.PIPE: frozenset({DescriptorKind.PIPE, DescriptorKind.FILE, DescriptorKind.MEMFD}),
}


class Reason(Enum):
    """Why a message does not fit a dialect."""

    NUMBER = "no such message"
    HEADER = "no such header"
    PAYLOAD = "no such payload"
    DESCRIPTORS = "other descriptors"
    GATE = "its feature is not negotiated"
    BIT = "no such feature"
    VALUE = "no such value"
    ADDRESS = "these addresses are not the guest's"
    HABIT = "another program's habit"


class Sighting(NamedTuple):
    """A message as it was seen, with what had been negotiated before.

    `number` and `flags` as in the header. `kinds` are those of the descriptors, None if some were lost. `words` are
    the 64-bit payloads seen so far on the main channel, by reply and number. `from_start`: nothing was missed before.
    `eager`: the front-end requests acknowledgements of requests that have a reply, as only rust-vmm does.
    """

    frame: int
    channel: Channel
    reply: bool
    number: int
    flags: int
    size: int
    payload: bytes
    byte_order: ByteOrder
    kinds: tuple[DescriptorKind, ...] | None
    words: Mapping[tuple[bool, int], int]
    from_start: bool
    eager: bool


class Reading(NamedTuple):
    """How a protocol reads a sighting, as in a `WireMessage`."""

    row: Row
    layout: Layout
    values: Values


# From the protocol, the sighting and its reading to how often the reason applies.
Question = Callable[[Protocol, Sighting, Reading], int]


def row_of(protocol: Protocol, sighting: Sighting) -> Row | None:
    """The row of a sighting in a protocol."""
    return protocol.request(sighting.channel, sighting.number & ~protocol.header.error)


def read(protocol: Protocol, sighting: Sighting) -> Reading:
    """The row and layout of a sighting in a protocol."""
    failed = sighting.number & protocol.header.error
    row = row_of(protocol, sighting)
    if row is None:
        return Reading(unknown_row(sighting.channel), NO_LAYOUT, ())
    for layout in forms(row, reply=sighting.reply and not failed):
        values = layout_codec(layout, sighting.byte_order).decode(sighting.payload, sighting.size)
        if values is not None:
            return Reading(row, layout, values)
    return Reading(row, NO_LAYOUT, ())


def _number(protocol: Protocol, sighting: Sighting, reading: Reading) -> int:
    return not reading.row.known and not _is_newer(protocol, sighting)


def _is_newer(protocol: Protocol, sighting: Sighting) -> bool:
    """Whether a number may have been added to upstream after this table, as an unknown feature bit was seen too."""
    words = _words(protocol, sighting)
    word = (words.protocol_offered or 0) | (words.protocol_acked or 0)
    follows = protocol is UPSTREAM and protocol.follows(sighting.channel, sighting.number) > 0
    return follows and bool(protocol.newer_features(word))


def _header(protocol: Protocol, sighting: Sighting, reading: Reading) -> int:
    version = sighting.flags & VERSION_MASK
    if version not in protocol.header.versions:
        return 1
    return reading.row.known and not sighting.reply and version < reading.row.version


def _payload(_protocol: Protocol, _sighting: Sighting, reading: Reading) -> int:
    return reading.row.known and reading.layout is NO_LAYOUT


def _descriptors(_protocol: Protocol, sighting: Sighting, reading: Reading) -> int:
    if reading.layout is NO_LAYOUT or sighting.kinds is None:
        return 0
    expected = reading.row.reply_fds if sighting.reply else reading.row.fds
    if reading.layout.bare:
        return bool(sighting.kinds)
    if not expected.least <= len(sighting.kinds) <= expected.most:
        return 1
    wanted = _KINDS.get(expected.kind)
    return wanted is not None and any(
        kind not in wanted for kind in sighting.kinds if kind is not DescriptorKind.UNKNOWN
    )


def _gate(protocol: Protocol, sighting: Sighting, reading: Reading) -> int:
    if sighting.reply:
        return 0
    gate = reading.row.gate
    if not (gate.protocol or gate.virtio):
        return 0
    words = _words(protocol, sighting)
    for bits, names, offered, acked in (
        (protocol.protocol_features, gate.protocol, words.protocol_offered, words.protocol_acked),
        (VIRTIO_FEATURES, gate.virtio, words.offered, words.acked),
    ):
        word = acked
        if gate.phase is PhaseNeeded.OFFERED:
            word = None if offered is None and acked is None else (offered or 0) | (acked or 0)
        if word is not None and any(not word & bits.known(name) for name in names):
            return 1
    return 0


def _bit(protocol: Protocol, sighting: Sighting, reading: Reading) -> int:
    wanted = Purpose.OFFER_PROTOCOL_FEATURES if sighting.reply else Purpose.ACK_PROTOCOL_FEATURES
    if reading.row.purpose is not wanted or not reading.values:
        return 0
    known = protocol.protocol_features.by_number
    return sum(number not in known for number in set_bits(reading.values[0]))


def _value(_protocol: Protocol, _sighting: Sighting, reading: Reading) -> int:
    fields = zip(reading.layout.fields, reading.values, strict=False)
    return any(field.choices and value not in field.choices for field, value in fields)


def _address(protocol: Protocol, sighting: Sighting, reading: Reading) -> int:
    bit = protocol.protocol_features.known("GPA_ADDRESSES")
    if not bit:
        return 0
    fields = zip(reading.layout.fields, reading.values, strict=False)
    if not any(field.meaning is Meaning.RING_ADDRESS and value >= _HOST_POINTERS for field, value in fields):
        return 0
    return bool((_words(protocol, sighting).protocol_acked or 0) & bit)


def _habit(protocol: Protocol, sighting: Sighting, reading: Reading) -> int:
    """A rust-vmm front-end writes fields that a driver writes, and there is no migration."""
    if not sighting.eager:
        return 0
    if reading.row.purpose is not Purpose.WRITE_CONFIG or (_words(protocol, sighting).acked or 0) & F_LOG_ALL:
        return 0
    fields = zip(reading.layout.fields, reading.values, strict=False)
    return any(field.choices.get(value) == LIVE_MIGRATION for field, value in fields)


# What depends on the row of the message and on the header rules, and on nothing else in the protocol.
ABOUT_THE_ROW: tuple[tuple[Reason, int, Question], ...] = (
    (Reason.HEADER, 8, _header),
    (Reason.PAYLOAD, 6, _payload),
    (Reason.DESCRIPTORS, 4, _descriptors),
    (Reason.VALUE, 2, _value),
)
ABOUT_THE_PROTOCOL: tuple[tuple[Reason, int, Question], ...] = (
    (Reason.NUMBER, 8, _number),
    (Reason.GATE, 2, _gate),
    (Reason.ADDRESS, 3, _address),
    (Reason.BIT, 1, _bit),
    (Reason.HABIT, 1, _habit),
)


class _Words(NamedTuple):
    """The feature words of a connection so far, as a protocol reads them; None if a word may have been missed."""

    offered: int | None
    acked: int | None
    protocol_offered: int | None
    protocol_acked: int | None


_WORDS = (
    (True, Purpose.OFFER_FEATURES),
    (False, Purpose.ACK_FEATURES),
    (True, Purpose.OFFER_PROTOCOL_FEATURES),
    (False, Purpose.ACK_PROTOCOL_FEATURES),
)


def word_places_among(rows: Iterable[Row]) -> frozenset[tuple[bool, int]]:
    """The messages among these rows with feature words: reply and number."""
    return frozenset((reply, row.id) for row in rows for reply, purpose in _WORDS if row.purpose is purpose)


@cache
def word_places(protocol: Protocol) -> tuple[tuple[bool, int], ...]:
    """The messages on the main channel with feature words: reply and number, -1 if there is no such message."""
    numbers = {row.purpose: row.id for row in protocol.channel(Channel.MAIN)}
    return tuple((reply, numbers.get(purpose, -1)) for reply, purpose in _WORDS)


def _words(protocol: Protocol, sighting: Sighting) -> _Words:
    known = [sighting.words.get(place) for place in word_places(protocol)]
    # If the offer of features was seen, nothing before it was missed.
    if sighting.from_start or known[0] is not None:
        return _Words(*(word or 0 for word in known))
    return _Words(*known)
