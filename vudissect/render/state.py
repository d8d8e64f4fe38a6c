"""The state of a connection at one point, as lines."""

from collections.abc import Callable, Iterator

from vudissect.protocol.devices import feature_names
from vudissect.protocol.features import GPU_FEATURES, STATUS_BITS
from vudissect.protocol.model import Channel
from vudissect.protocol.purpose import Purpose
from vudissect.render.features import offered_text
from vudissect.render.rings import seen_text
from vudissect.render.units import address_text, printable, size_text
from vudissect.session.pairing import Pairing
from vudissect.session.rings import Addresses, Ring, Slot
from vudissect.session.shared import SharedObjects
from vudissect.session.state import Negotiation, SharedFile, State

_UNKNOWN = "unknown"
_SLOTS = ((Purpose.SET_KICK, "kick"), (Purpose.SET_CALL, "call"), (Purpose.SET_ERR, "err"))


def state_lines(state: State, pairing: Pairing) -> Iterator[str]:
    """Everything known about a connection, and its pending requests; what no message has set is shown as unknown."""
    yield f"{printable(state.label)}: {state.phase.value}, device {state.guess.words or _UNKNOWN}"
    yield from _words(state)
    yield f"  owner: {_UNKNOWN if state.owned_since is None else f'since #{state.owned_since}'}"
    yield f"  queues: {_number(state.queues)}, memory slots: {_number(state.memory_slots)}"
    status = state.status
    yield f"  status: {_UNKNOWN if status is None else offered_text(STATUS_BITS.names(status))}"
    regions = len(state.memory.regions)
    yield f"  memory: {regions} {'region' if regions == 1 else 'regions'}"
    for region in state.memory.regions:
        place = f"{address_text(region.guest_addr)}+{size_text(region.size)} at {address_text(region.user_addr)}"
        yield f"    region{region.number}: {place}, {region.descriptor or 'no descriptor'}+{region.mmap_offset:#x}"
    for index in sorted(state.rings):
        yield from _ring_lines(state, state.rings[index])
    yield from _shared_lines(state)
    for channel in Channel:
        for request in pairing[channel].owed():
            name = request.name
            yield f"  waiting on the {channel.label} channel: {name} (#{request.frame})"


def _words(state: State) -> Iterator[str]:
    device = state.guess.device
    yield from _word("features", state.features, lambda word: feature_names(device, word))
    yield from _word("protocol features", state.protocol_features, state.protocol.protocol_features.names)
    if state.gpu_features != Negotiation():
        yield from _word("GPU protocol features", state.gpu_features, GPU_FEATURES.names)


def _word(title: str, word: Negotiation, names: Callable[[int], tuple[str, ...]]) -> Iterator[str]:
    for state, value in (("offered", word.offered), ("acknowledged", word.acked)):
        yield f"  {title} {state}: {_UNKNOWN if value is None else offered_text(names(value))}"


def _ring_lines(state: State, ring: Ring) -> Iterator[str]:
    base = f"base {_number(ring.base)}"
    if ring.stopped_at is not None:
        base += f", stopped at {ring.stopped_at}"
    yield f"  ring {ring.index}: {ring.state}; size {_number(ring.size)}, {base}"
    if ring.addresses is not None:
        yield f"    {_addresses(state, ring.addresses)}"
    yield "    " + ", ".join(f"{title} {_slot(ring.slots[purpose])}" for purpose, title in _SLOTS)
    if ring.seen is not None:
        yield f"    seen (#{ring.seen_in}): {printable(seen_text(ring.seen))}"


def _addresses(state: State, addresses: Addresses) -> str:
    words = []
    for name, address in (("desc", addresses.desc), ("used", addresses.used), ("avail", addresses.avail)):
        place = state.ring_address(address)
        words.append(f"{name} {f'region{place.region.number}+{place.offset:#x}' if place else address_text(address)}")
    return " ".join(words) + (f" log {address_text(addresses.log)}" if addresses.logged else "")


def _slot(slot: Slot) -> str:
    if not slot.epoch:
        return _UNKNOWN
    times = "once" if slot.epoch == 1 else f"{slot.epoch} times"
    return f"{slot.name or 'none'} (#{slot.frame}, given {times})"


def _shared_lines(state: State) -> Iterator[str]:
    for title, shared in (("log", state.log), ("in-flight memory", state.inflight)):
        if shared is not None:
            yield f"  {title}: {_shared(shared)}"
    if state.postcopy.value != "none":
        yield f"  postcopy: {state.postcopy.value}"
    if state.transferring_state:
        yield f"  device state: {state.transferring_state}"
    yield from _shared_memory_lines(state)
    yield from _object_lines(state.objects)


def _shared_memory_lines(state: State) -> Iterator[str]:
    sizes = dict(enumerate(state.shared_memory or ()))
    mapped = state.mappings.by_region
    for number in sorted({number for number, size in sizes.items() if size} | set(mapped)):
        yield f"  shared memory region {number}: {size_text(sizes[number]) if number in sizes else _UNKNOWN}"
        for mapping in mapped.get(number, ()):
            source = f"{mapping.descriptor or 'no descriptor'}+{mapping.offset:#x}"
            yield f"    {address_text(mapping.start)}+{size_text(mapping.size)}: {source} (#{mapping.frame})"


def _object_lines(objects: SharedObjects) -> Iterator[str]:
    for uuid, frame in objects.added.items():
        yield f"  shared object {uuid} (#{frame})"
    for uuid in sorted(objects.doubtful.difference(objects.added)):
        yield f"  shared object {uuid}: the front-end answered with a failure"


def _shared(shared: SharedFile) -> str:
    return f"{size_text(shared.size)} in {shared.descriptor or 'no descriptor'}+{shared.offset:#x} (#{shared.frame})"


def _number(value: int | None) -> str:
    return _UNKNOWN if value is None else str(value)
