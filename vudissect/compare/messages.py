"""Compares a live message with the recorded one, field by field."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from vudissect.compare import policy as names
from vudissect.compare.outcome import Allowed, Difference, Trouble
from vudissect.compare.policy import EXACT, How, Policy, Rule
from vudissect.compare.positions import is_idle, possible_positions
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.model import Field, Layout, Meaning
from vudissect.protocol.purpose import Purpose
from vudissect.session.event import MessageEvent
from vudissect.wire.codec import WireMessage
from vudissect.wire.header import NEED_REPLY, REPLY, VERSION_MASK
from vudissect.wire.layout import Values

_RESERVED = ~(VERSION_MASK | REPLY | NEED_REPLY)

# Kinds whose identity is unique until the machine reboots; the number of an eventfd is used again.
_IDENTIFIED = frozenset(
    {
        DescriptorKind.MEMFD,
        DescriptorKind.FILE,
        DescriptorKind.SOCKET,
        DescriptorKind.PIPE,
        DescriptorKind.DMABUF,
    }
)


class Identities:
    """Which live descriptor corresponds to which recorded one, learned from the descriptors seen so far."""

    def __init__(self) -> None:
        self._live: dict[str, str] = {}
        self._recorded: dict[str, str] = {}

    def agree(self, recorded: str, live: str) -> bool:
        """Whether these two may be the same object: neither was paired with another one before."""
        if self._live.setdefault(recorded, live) != live:
            return False
        return self._recorded.setdefault(live, recorded) == recorded


class Comparison(NamedTuple):
    """How many fields were compared, which ones differ, and which differ but are allowed to."""

    compared: int
    differences: list[Difference]
    allowed: list[Allowed]


class _Item(NamedTuple):
    """A property of both messages, under the name that policies and reports use."""

    name: str
    recorded: Any
    live: Any
    field: None = None


class _FieldItem(NamedTuple):
    """The value of a field in both messages; policies and reports use its path as name."""

    name: str
    recorded: Any
    live: Any
    field: Field
    layout: Layout


_AnyItem = _Item | _FieldItem


def compare(recorded: MessageEvent, live: MessageEvent, policy: Policy, identities: Identities) -> Comparison:
    """Compare two messages with the same number and direction."""
    ours, theirs = recorded.message, live.message
    result = Comparison(0, [], [])
    row = ours.row
    compared = 1
    if ours.flags != theirs.flags:
        for item in (item for item in _flags(ours, theirs) if item.recorded != item.live):
            _judge(item, policy.of_message(row, item.name), recorded, live, result)
    if recorded.record.is_named or live.record.is_named:
        return result  # the rest is unknown
    if ours.layout is not theirs.layout or not ours.fits:
        # There are no field names for this payload: compare the bytes.
        compared += 1
        if ours.size != theirs.size:
            item = _Item(names.PAYLOAD_SIZE, ours.size, theirs.size)
            _judge(item, policy.of_message(row, names.PAYLOAD_SIZE), recorded, live, result)
        elif not _alike(ours.data, theirs.data):
            _judge(_Item("bytes", ours.data, theirs.data), EXACT, recorded, live, result)
    else:
        compared += len(ours.layout.names)
        if ours.values != theirs.values:
            for value in _values(ours.layout, ours.values, theirs.values, "", ours.size == theirs.size):
                rule = policy.of_field(row, value.layout, value.field, value.name, reply=ours.reply)
                _judge(value, rule, recorded, live, result)
        elif ours.reply and row.purpose is Purpose.STOP_RING:
            for value in _impossible_position(ours.layout, live):
                if policy.of_field(row, value.layout, value.field, value.name, reply=True).how is How.RELATED:
                    _differs(value, recorded, result)
    for item in _descriptors(recorded, live, identities):
        compared += 1
        if item.recorded != item.live:
            _judge(item, policy.of_message(row, item.name), recorded, live, result)
    return result._replace(compared=compared)


def _flags(ours: WireMessage, theirs: WireMessage) -> Iterator[_Item]:
    before, after = ours.flags, theirs.flags
    yield _Item(names.VERSION, before & VERSION_MASK, after & VERSION_MASK)
    yield _Item(names.REPLY, int(bool(before & REPLY)), int(bool(after & REPLY)))
    yield _Item(names.NEED_REPLY, int(bool(before & NEED_REPLY)), int(bool(after & NEED_REPLY)))
    yield _Item(names.RESERVED, before & _RESERVED, after & _RESERVED)


def _alike(before: bytes, after: bytes) -> bool:
    """Whether bytes of the same length are equal, up to where both were kept: long messages are cut."""
    kept = min(len(before), len(after))
    return before[:kept] == after[:kept]


def _values(layout: Layout, ours: Values, theirs: Values, prefix: str, same_size: bool) -> Iterator[_FieldItem]:
    """The values that differ."""
    for field, recorded, live in zip(layout.fields, ours, theirs, strict=False):
        if recorded == live:
            continue
        if not field.parts:
            yield _FieldItem(prefix + field.name, recorded, live, field, layout)
            continue
        for part in field.parts:
            before, after = (recorded & part.mask) >> part.low, (live & part.mask) >> part.low
            if before != after:
                part_of = Field(part.name, field.code, part.meaning)
                yield _FieldItem(prefix + part.name, before, after, part_of, layout)
    rest = len(layout.fields)
    if layout.array is not None:
        path = f"{prefix}{layout.array.name}."
        for before, after in zip(ours[rest], theirs[rest], strict=False):
            yield from _values(layout.array.entry, before, after, path, same_size)
    elif layout.tail is not None and not (same_size and _alike(ours[rest], theirs[rest])):
        field = layout.tail.field
        yield _FieldItem(prefix + field.name, ours[rest], theirs[rest], field, layout)


def _descriptors(recorded: MessageEvent, live: MessageEvent, identities: Identities) -> Iterator[_Item]:
    ours, theirs = recorded.descriptors, live.descriptors
    if not ours and not theirs:
        return
    yield _Item(names.FDS, len(ours), len(theirs))
    for before, after in zip(ours, theirs, strict=False):
        yield from _descriptor(before.descriptor, after.descriptor, identities)


def _descriptor(before: Descriptor, after: Descriptor, identities: Identities) -> Iterator[_Item]:
    if DescriptorKind.UNKNOWN not in (before.kind, after.kind):
        yield _Item(names.FD_KIND, before.kind.label, after.kind.label)
    if before.kind is not after.kind:
        return
    if before.is_examined and after.is_examined:
        yield _Item(names.FD_SIZE, before.size, after.size)
        yield _Item(names.FD_PAGE_SIZE, before.page_size, after.page_size)
        yield _Item(names.FD_SEALS, before.seals, after.seals)
    if before.kind in _IDENTIFIED and before.identity and after.identity:
        same = identities.agree(before.identity, after.identity)
        yield _Item(names.FD_IDENTITY, "the same as before", "the same as before" if same else "another")


def _impossible_position(layout: Layout, live: MessageEvent) -> Iterator[_FieldItem]:
    """The position in this reply, if no ring could have it, although it is as recorded."""
    message = live.message
    ring = live.after.rings.get(message.values[0])
    for field, position in zip(layout.fields, message.values, strict=False):
        if field.meaning is Meaning.RING_BASE and ring is not None:
            expected = possible_positions(position, ring, live.after)
            if expected:
                yield _FieldItem(field.name, expected, position, field, layout)


def _judge(item: _AnyItem, rule: Rule, recorded: MessageEvent, live: MessageEvent, result: Comparison) -> None:
    if _passes(item, rule, recorded, live):
        frame, name = recorded.record.frame, recorded.name
        result.allowed.append(Allowed(frame, name, item.name, item.recorded, item.live, str(rule)))
    else:
        _differs(item, recorded, result)


def _differs(item: _AnyItem, recorded: MessageEvent, result: Comparison) -> None:
    result.differences.append(
        Difference(
            Trouble.VALUE,
            recorded.record.connection,
            recorded.record.channel,
            recorded.record.frame,
            recorded.name,
            item.name,
            item.recorded,
            item.live,
            item.field,
            recorded.after.guess.device,
            _config_offset(item, recorded),
        )
    )


def _config_offset(item: _AnyItem, recorded: MessageEvent) -> int:
    """Where the part of a configuration space begins that a field has; 0 for other fields."""
    if item.field is None or item.field.meaning is not Meaning.CONFIG:
        return 0
    offset: int = recorded.message.values[0]
    return offset


def _passes(item: _AnyItem, rule: Rule, recorded: MessageEvent, live: MessageEvent) -> bool:
    before, after = item.recorded, item.live
    if rule.how is How.IGNORED:
        return True
    if rule.how is How.RELATED:
        return _related(item, recorded, live)
    if isinstance(before, int) and isinstance(after, int):
        if rule.how is How.MASKED:
            return (before ^ after) & rule.mask == 0
        if rule.how is How.ADDED:
            return before & ~after == 0
        if rule.how is How.AT_LEAST:
            return after >= before
    return False


def _related(item: _AnyItem, recorded: MessageEvent, live: MessageEvent) -> bool:
    """Whether two values that differ have the same meaning, each in its own session."""
    if item.field is None:
        return False
    before, after, meaning = item.recorded, item.live, item.field.meaning
    if meaning is Meaning.RING_BASE:
        return _is_where_it_began(item, live)
    if item.layout.is_region and meaning is Meaning.USER_ADDRESS:
        return True  # every process maps regions at addresses of its own
    if item.layout.is_region and meaning is Meaning.GUEST_ADDRESS:
        return _is_own_address(before, recorded) and _is_own_address(after, live)
    look_up = _LOOK_UPS.get(meaning)
    if look_up is not None and look_up(recorded.after, before) is not None:
        return look_up(live.after, after) is not None
    return bool(before) == bool(after)


def _is_where_it_began(item: _FieldItem, live: MessageEvent) -> bool:
    """Whether a ring stops at the base that it was given: the rings of a replay are empty."""
    message = live.message
    if not message.reply or message.row.purpose is not Purpose.STOP_RING:
        return False
    ring = live.after.rings.get(message.values[0])
    if ring is None or possible_positions(item.live, ring, live.after):
        return False
    return is_idle(item.live, item.recorded, ring, live.after)


def _is_own_address(address: int, event: MessageEvent) -> bool:
    """Whether the guest address of a region is the front-end's own address, as that of every region is.

    So in libblkio, SPDK, DPDK's virtio-user and User-Mode Linux: there is no guest, or it is the process itself.
    """
    regions = (*event.before.memory.regions, *event.after.memory.regions)
    return all(region.guest_addr == region.user_addr for region in regions) and any(
        region.guest_addr == address for region in regions
    )


_LOOK_UPS = {
    Meaning.USER_ADDRESS: lambda state, address: state.memory.by_user_address(address),
    Meaning.RING_ADDRESS: lambda state, address: state.ring_address(address),
    Meaning.GUEST_ADDRESS: lambda state, address: state.memory.by_guest_address(address),
}
