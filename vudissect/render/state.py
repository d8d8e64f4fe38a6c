"""The state of a connection at one point, in lines."""

from collections.abc import Callable, Iterator

from vudissect.render.features import offered_text
from vudissect.render.units import address_text, size_text
from vudissect.session.connection import Connection, Negotiation, SharedFile
from vudissect.session.rings import Addresses, Ring, Slot
from vudissect.spec.devices import feature_names
from vudissect.spec.effect import Effect
from vudissect.spec.features import GPU_FEATURES, STATUS_BITS
from vudissect.spec.model import Channel

_UNKNOWN = "not said"
_SLOTS = ((Effect.SET_KICK, "kick"), (Effect.SET_CALL, "call"), (Effect.SET_ERR, "err"))


def state_lines(connection: Connection) -> Iterator[str]:
    """All that is known of a connection; what no message has told is said to be so."""
    device = connection.guess.device
    yield f"connection {connection.number}: {connection.phase.value}, device {device.name if device else 'unknown'}"
    yield from _words(connection)
    yield f"  owner: {_UNKNOWN if connection.owned_since is None else f'since #{connection.owned_since}'}"
    yield f"  queues: {_number(connection.queues)}, memory slots: {_number(connection.memory_slots)}"
    status = connection.status
    yield f"  status: {_UNKNOWN if status is None else offered_text(STATUS_BITS.names(status))}"
    yield f"  memory: {len(connection.memory.regions)} regions"
    for region in connection.memory.regions:
        place = f"{address_text(region.guest_addr)}+{size_text(region.size)} at {address_text(region.user_addr)}"
        yield f"    region{region.number}: {place}, {region.descriptor or 'no descriptor'}+{region.mmap_offset:#x}"
    for index in sorted(connection.rings):
        yield from _ring_lines(connection, connection.rings[index])
    yield from _shared_lines(connection)
    for channel in Channel:
        for request in connection.waiting[channel].owed():
            name = request.row.name if request.row is not None else f"message {request.id}"
            yield f"  waiting on the {channel.label} channel: {name} (#{request.frame})"


def _words(connection: Connection) -> Iterator[str]:
    device = connection.guess.device
    yield from _word("features", connection.features, lambda word: feature_names(device, word))
    yield from _word("protocol features", connection.protocol_features, connection.protocol.protocol_features.names)
    if connection.gpu_features != Negotiation():
        yield from _word("GPU protocol features", connection.gpu_features, GPU_FEATURES.names)


def _word(title: str, word: Negotiation, names: Callable[[int], tuple[str, ...]]) -> Iterator[str]:
    for state, value in (("offered", word.offered), ("acknowledged", word.acked)):
        yield f"  {title} {state}: {_UNKNOWN if value is None else offered_text(names(value))}"


def _ring_lines(connection: Connection, ring: Ring) -> Iterator[str]:
    base = f"base {_number(ring.base)}"
    if ring.stopped_at is not None:
        base += f", stopped at {ring.stopped_at}"
    yield f"  ring {ring.index}: {ring.state()}; size {_number(ring.size)}, {base}"
    if ring.addresses is not None:
        yield f"    {_addresses(connection, ring.addresses)}"
    yield "    " + ", ".join(f"{title} {_slot(ring.slots[effect])}" for effect, title in _SLOTS)


def _addresses(connection: Connection, addresses: Addresses) -> str:
    words = []
    for name, address in (("desc", addresses.desc), ("used", addresses.used), ("avail", addresses.avail)):
        place = connection.ring_address(address)
        words.append(f"{name} {f'region{place.region.number}+{place.offset:#x}' if place else address_text(address)}")
    return " ".join(words) + (f" log {address_text(addresses.log)}" if addresses.logged else "")


def _slot(slot: Slot) -> str:
    if not slot.epoch:
        return _UNKNOWN
    return f"{slot.name or 'none'} (#{slot.frame}, given {slot.epoch} times)"


def _shared_lines(connection: Connection) -> Iterator[str]:
    for title, shared in (("log", connection.log), ("in-flight memory", connection.inflight)):
        if shared is not None:
            yield f"  {title}: {_shared(shared)}"
    if connection.postcopy.value != "none":
        yield f"  postcopy: {connection.postcopy.value}"
    if connection.transferring_state:
        yield f"  device state: {connection.transferring_state}"
    for number, size in enumerate(connection.shared_memory or ()):
        if size:
            yield f"  shared memory region {number}: {size_text(size)}"


def _shared(shared: SharedFile) -> str:
    return f"{size_text(shared.size)} in {shared.descriptor or 'no descriptor'}+{shared.offset:#x} (#{shared.frame})"


def _number(value: int | None) -> str:
    return _UNKNOWN if value is None else str(value)
