"""Compares two connections: aligns their messages, compares the fields of equal ones, and finds what causes what."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, takewhile
from typing import Final

from vudissect.capture.record import RecordKind
from vudissect.compare import policy as names
from vudissect.compare.align import Aligned, align
from vudissect.compare.distinction import Compared, Distinction, Place, What
from vudissect.compare.exchange import Exchange, Exchanges, ring_of
from vudissect.compare.messages import Identities, compare
from vudissect.compare.outcome import Difference
from vudissect.compare.policy import Policy
from vudissect.compare.rings import rings_compared
from vudissect.protocol.devices import feature_names
from vudissect.protocol.model import Channel, Meaning, Row
from vudissect.protocol.purpose import Purpose
from vudissect.session.event import Event, MessageEvent

_PLACES: Final[Mapping[Purpose, Place]] = {
    Purpose.OFFER_FEATURES: Place.OFFERED,
    Purpose.OFFER_PROTOCOL_FEATURES: Place.OFFERED,
    Purpose.OFFER_GPU_FEATURES: Place.OFFERED,
    Purpose.ACK_FEATURES: Place.ACKNOWLEDGED,
    Purpose.ACK_PROTOCOL_FEATURES: Place.ACKNOWLEDGED,
    Purpose.ACK_GPU_FEATURES: Place.ACKNOWLEDGED,
    Purpose.COUNT_QUEUES: Place.ABILITY,
    Purpose.COUNT_MEMORY_SLOTS: Place.ABILITY,
    Purpose.COUNT_SHARED_MEMORY: Place.ABILITY,
    Purpose.READ_CONFIG: Place.ABILITY,
    Purpose.REPLACE_MEMORY: Place.MEMORY,
    Purpose.ADD_MEMORY: Place.MEMORY,
    Purpose.REMOVE_MEMORY: Place.MEMORY,
    Purpose.SET_RING_SIZE: Place.RING,
    Purpose.SET_RING_ADDRESSES: Place.RING,
    Purpose.SET_RING_BASE: Place.RING,
    Purpose.STOP_RING: Place.RING,
    Purpose.ENABLE_RING: Place.RING,
    Purpose.RUN_RING: Place.RING,
}
_FEATURES = (Place.OFFERED, Place.ACKNOWLEDGED)
_FLAGS = frozenset({names.VERSION, names.REPLY, names.NEED_REPLY, names.RESERVED})
_DESCRIPTORS = frozenset(
    {names.FDS, names.FD_KIND, names.FD_SIZE, names.FD_PAGE_SIZE, names.FD_SEALS, names.FD_IDENTITY}
)
_ANSWER: Final = " answer"

# Of a pointer, only where it is matters.
_ADDRESSES = frozenset({Meaning.USER_ADDRESS, Meaning.RING_ADDRESS, Meaning.IOVA})

# So many steps at the end that only one session has are one difference.
_MANY: Final = 4

_Identities = tuple[Identities, Identities]


def compare_connections(ours: Exchanges, theirs: Exchanges, policy: Policy) -> Compared:
    """The differences of two connections; `TooLongError` if too much differs."""
    identities = Identities(), Identities()
    late = _began_before(ours), _began_before(theirs)
    found: list[Distinction] = []
    steps: list[Aligned] = []
    for channel in Channel:
        aligned = _recorded(align(ours.steps(channel), theirs.steps(channel)), late)
        steps += aligned
        rest = _rest(aligned)
        if rest:
            found.append(_shorter(channel, rest))
        found += _unmatched(aligned[: len(aligned) - len(rest)])
        for pair in aligned:
            if pair.first is None or pair.second is None:
                continue
            if pair.moved:
                found.append(_whole(What.MOVED, Place.ORDER, pair.first, pair.second))
            found += _differing(pair.first, pair.second, policy, identities)
    found += _of_traffic(ours, theirs)
    found += _of_sessions(ours, theirs)
    return Compared(tuple(_ranked(_grouped(found))), tuple(steps))


def _began_before(exchanges: Exchanges) -> bool:
    """Whether the beginning of the connection was not recorded."""
    state = exchanges.last.after
    return state.opened is None and state.owned_since is None


def _recorded(aligned: Sequence[Aligned], late: tuple[bool, bool]) -> list[Aligned]:
    """The steps without those at the beginning that one session lacks because they were not recorded."""
    start = next((place for place, pair in enumerate(aligned) if pair.first and pair.second), 0)
    return [
        pair
        for place, pair in enumerate(aligned)
        if place >= start or not ((pair.first is None and late[0]) or (pair.second is None and late[1]))
    ]


def _rest(aligned: Sequence[Aligned]) -> list[Aligned]:
    """The steps at the end that only one session has, if they are many: the other one ended earlier."""
    for lacking in (0, 1):
        rest = [*takewhile(lambda pair: pair[lacking] is None, reversed(aligned))][::-1]  # noqa: B023 - used at once
        if len(rest) >= _MANY:
            return rest
    return []


def _shorter(channel: Channel, rest: Sequence[Aligned]) -> Distinction:
    steps = [step for pair in rest for step in (pair.first, pair.second) if step is not None]
    frames = tuple(step.request.record.frame for step in steps)
    what = What.MISSING if rest[0].second is None else What.ADDED
    text = f"{steps[0].key.name} and {len(steps) - 1} messages more"
    return Distinction(
        What.SESSION,
        Place.REST,
        (),
        (),
        "end of the session" if channel is Channel.MAIN else f"end of the {channel.label} channel",
        text if what is What.MISSING else "nothing more",
        "nothing more" if what is What.MISSING else text,
        frames if what is What.MISSING else (),
        () if what is What.MISSING else frames,
    )


def _differing(first: Exchange, second: Exchange, policy: Policy, identities: _Identities) -> Iterator[Distinction]:
    """What is different in two exchanges that mean the same."""
    differences = _both_ways(first.request, second.request, policy, identities)
    for difference in differences:
        yield from _value(difference, first.request, second.request, "")
    if first.answer is not None and second.answer is not None:
        for difference in _both_ways(first.answer, second.answer, policy, identities):
            yield from _value(difference, first.answer, second.answer, _ANSWER)
    elif (first.answer is None) != (second.answer is None) and names.NEED_REPLY not in {
        difference.field for difference in differences
    }:
        what = What.MISSING if second.answer is None else What.ADDED
        yield _whole(what, Place.MESSAGE, first, second, _ANSWER)


def _both_ways(first: MessageEvent, second: MessageEvent, policy: Policy, identities: _Identities) -> list[Difference]:
    """What differs if either session is the expected one: neither is here."""
    ours = compare(first, second, policy, identities[0]).differences
    theirs = compare(second, first, policy, identities[1]).differences
    known = {(each.field, each.expected, each.got) for each in ours}
    swapped = (each._replace(expected=each.got, got=each.expected) for each in theirs)
    return ours + [each for each in swapped if (each.field, each.expected, each.got) not in known]


def _value(difference: Difference, first: MessageEvent, second: MessageEvent, suffix: str) -> Iterator[Distinction]:
    before, after, kind = difference.expected, difference.got, difference.kind
    meaning = kind.meaning if kind is not None else None
    features: frozenset[str] = frozenset()
    if difference.field == names.FD_SIZE and _is_in_part(first) and _is_in_part(second):
        return
    if isinstance(before, int) and isinstance(after, int) and kind is not None:
        if meaning is Meaning.RING_BASE:
            if first.message.reply:
                return  # how much a guest did is not the same in two runs
            origins, others = _origins(before, first), _origins(after, second)
            if origins & others:
                return
            before, after = min(origins), min(others)
        elif meaning is Meaning.OFFSET and before and after:
            return
        elif meaning is Meaning.VIRTIO_FEATURES:
            features = frozenset(feature_names(difference.device, before ^ after))
        elif kind.bits is not None:
            features = frozenset(kind.bits.names(before ^ after))
        elif meaning in _ADDRESSES:
            before, after = _place_of(before, first), _place_of(after, second)
            if before == after:
                return
    if difference.field == names.NEED_REPLY:
        features = _ACKNOWLEDGING
    yield Distinction(
        What.VALUE,
        _place(difference.field, meaning, first.message.row),
        (difference.message + suffix,),
        _rings(first),
        difference.field,
        before,
        after,
        (first.record.frame,),
        (second.record.frame,),
        kind,
        difference.device,
        features,
        difference.offset,
    )


def _is_in_part(event: MessageEvent) -> bool:
    """Whether memory is only a part of its file: User-Mode Linux places it, and sizes the file, by chance."""
    return any(region.mmap_offset for region in event.after.memory.regions)


def _place_of(address: int, event: MessageEvent) -> str:
    """Where an address is, without the address, which is another one in each run."""
    if not address:
        return "none"
    state = event.after
    places = (state.memory.by_user_address(address), state.memory.by_guest_address(address))
    return "in a memory region" if any(places) else "in no memory region"


def _origins(position: int, event: MessageEvent) -> frozenset[str]:
    """What the position of a ring can be in this session: how far a guest got is not the same in two runs."""
    ring = event.before.rings.get(event.message.values[0])
    found = {"where it stopped"} if ring is not None and ring.stopped_at == position else set[str]()
    if not position:
        found.add("0")
    return frozenset(found or {"not 0"})


# A request that asks for an acknowledgement needs this feature.
_ACKNOWLEDGING: Final = frozenset({"REPLY_ACK"})


def _place(field: str, meaning: Meaning | None, row: Row) -> Place:
    if field in _FLAGS:
        return Place.FLAG
    if field in _DESCRIPTORS:
        return Place.DESCRIPTOR
    if meaning is Meaning.STATUS_CODE:
        return Place.FAILURE
    return _PLACES.get(row.purpose, Place.CONTENT)


def _rings(event: MessageEvent) -> tuple[int, ...]:
    ring = ring_of(event.message)
    return () if ring is None else (ring,)


def _unmatched(aligned: Sequence[Aligned]) -> Iterator[Distinction]:
    """The steps that only one session has, or has more often."""
    both: dict[object, int] = {}
    for pair in aligned:
        if pair.first is not None and pair.second is not None:
            both[pair.first.key] = both.get(pair.first.key, 0) + 1
    lone: dict[object, list[Aligned]] = {}
    for pair in aligned:
        step = pair.first or pair.second
        if step is not None and (pair.first is None or pair.second is None):
            lone.setdefault(step.key, []).append(pair)
    for key, pairs in lone.items():
        ours = [pair.first for pair in pairs if pair.first is not None]
        theirs = [pair.second for pair in pairs if pair.second is not None]
        step = (ours or theirs)[0]
        common = both.get(key, 0)
        what = What.TIMES if common else What.MISSING if ours else What.ADDED
        yield _whole(what, Place.MESSAGE, step, step)._replace(
            before=len(ours) + common,
            after=len(theirs) + common,
            frames=tuple(each.request.record.frame for each in ours),
            other_frames=tuple(each.request.record.frame for each in theirs),
        )


def _whole(what: What, place: Place, first: Exchange, second: Exchange, suffix: str = "") -> Distinction:
    message = first.request.message
    return Distinction(
        what,
        place,
        (message.name + suffix,),
        () if first.key.ring is None else (first.key.ring,),
        "",
        None,
        None,
        (first.request.record.frame,),
        (second.request.record.frame,),
        features=_needed(message.row, first.request),
    )


def _needed(row: Row, event: MessageEvent) -> frozenset[str]:
    """The features that a message depends on; a memory table depends on those of single regions, which replace it."""
    rows = [row]
    if _PLACES.get(row.purpose) is Place.MEMORY:
        known = event.after.protocol.messages
        rows += [other for other in known if _PLACES.get(other.purpose) is Place.MEMORY]
    return frozenset(chain.from_iterable((*each.gate.protocol, *each.gate.virtio, *each.gate.gpu) for each in rows))


def _of_traffic(ours: Exchanges, theirs: Exchanges) -> Iterator[Distinction]:
    """Messages of the device's own traffic that only one session has; how many there are is not compared."""
    for name in sorted(ours.traffic.keys() ^ theirs.traffic.keys()):
        what = What.MISSING if name in ours.traffic else What.ADDED
        yield Distinction(
            what, Place.TRAFFIC, (name,), (), "", ours.traffic[name], theirs.traffic[name], (), ()
        )  # fmt: skip


def _of_sessions(first: Exchanges, second: Exchanges) -> Iterator[Distinction]:
    """Properties of the connections as a whole."""
    ours, theirs = first.last.after, second.last.after
    device, other = ours.guess.device, theirs.guess.device
    for place, field, before, after in (
        (Place.PROGRAM, "dialect", ours.protocol.key, theirs.protocol.key),
        (Place.PROGRAM, "device", device.name if device else None, other.name if other else None),
        (Place.ENDING, "end", _ending(first.last), _ending(second.last)),
    ):
        if before != after:
            yield Distinction(What.SESSION, place, (), (), field, before, after, (), ())
    yield from rings_compared(ours, theirs)


def _ending(last: Event) -> str:
    record = last.record
    if record.kind is not RecordKind.CONNECTION_CLOSED:
        return "open at the end of the capture"
    how = f" ({record.details['how']})" if record.details.get("how") else ""
    return f"closed by the {record.details.get('by', '?')}{how}"


def _grouped(found: Iterable[Distinction]) -> list[Distinction]:
    """Differences that are the same for several rings, frames or, if it is a flag, messages, put together."""
    groups: dict[tuple[object, ...], Distinction] = {}
    for each in found:
        messages = () if each.place is Place.FLAG else each.messages
        values = () if each.what is What.MOVED else (each.before, each.after)
        key = (each.what, each.place, messages, each.field, *values)
        known = groups.get(key)
        groups[key] = each if known is None else _joined(known, each)
    return list(groups.values())


def _joined(known: Distinction, each: Distinction) -> Distinction:
    return known._replace(
        messages=tuple(dict.fromkeys((*known.messages, *each.messages))),
        rings=tuple(sorted({*known.rings, *each.rings})),
        frames=known.frames + each.frames,
        other_frames=known.other_frames + each.other_frames,
    )


def _ranked(found: Sequence[Distinction]) -> list[Distinction]:
    """Causes first, each followed by its consequences, which refer to it."""
    ordered = sorted(found, key=lambda each: (each.place, min(each.frames + each.other_frames, default=0)))
    causes = [_cause(each, ordered) for each in ordered]
    ranked: list[Distinction] = []

    def add(place: int, because: int) -> None:
        number = len(ranked) + 1
        ranked.append(ordered[place]._replace(number=number, because=because))
        for other, cause in enumerate(causes):
            if cause == place:
                add(other, number)

    for place, cause in enumerate(causes):
        if cause is None:
            add(place, 0)
    return ranked


def _cause(each: Distinction, ordered: Sequence[Distinction]) -> int | None:
    """Where the difference in features is that explains this one: what was offered explains what was acknowledged."""
    if each.place is Place.OFFERED or not each.features:
        return None
    for place, other in enumerate(ordered):
        if other.place in _FEATURES and other.place < each.place and other.features & each.features:
            return place
    return None
