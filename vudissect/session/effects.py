"""What messages do to the state of a connection, one function for each `Effect` of the message table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from vudissect.session.connection import Connection, Negotiation, Postcopy, SharedFile
from vudissect.session.memory import Region
from vudissect.session.names import NamedDescriptor
from vudissect.session.phases import Step
from vudissect.session.rings import Addresses, Order, Slot
from vudissect.spec.effect import Effect
from vudissect.spec.features import STATUS_BITS, VIRTIO_FEATURES
from vudissect.wire.fields import Fields

_PROTOCOL_FEATURES = VIRTIO_FEATURES.mask("PROTOCOL_FEATURES")

# More than the configuration of any device has; a hostile back-end could answer with megabytes.
_MOST_CONFIG = 4096


@dataclass(slots=True)
class Act:
    """A message that takes effect. `replaced` is set to the name of a descriptor that it puts out of use."""

    effect: Effect
    connection: Connection
    fields: Fields
    descriptors: tuple[NamedDescriptor, ...]
    frame: int
    replaced: str = ""

    @property
    def descriptor(self) -> str:
        """The name of the first descriptor, or ""."""
        return self.descriptors[0].name if self.descriptors else ""


Apply = Callable[[Act], None]


def _offer_features(act: Act) -> None:
    act.connection.features.offer(act.fields["features"], act.frame)
    act.connection.guess.see_features(act.fields["features"])
    act.connection.step(Step.FEATURES)


def _ack_features(act: Act) -> None:
    connection = act.connection
    connection.features.acknowledge(act.fields["features"], act.frame)
    connection.step(Step.FEATURES)
    if not act.fields["features"] & _PROTOCOL_FEATURES:
        connection.order_all_rings(Order.ENABLE_ALL)


def _offer(word: Callable[[Connection], Negotiation]) -> Apply:
    def apply(act: Act) -> None:
        word(act.connection).offer(act.fields["features"], act.frame)

    return apply


def _acknowledge(word: Callable[[Connection], Negotiation]) -> Apply:
    def apply(act: Act) -> None:
        word(act.connection).acknowledge(act.fields["features"], act.frame)

    return apply


def _take_ownership(act: Act) -> None:
    act.connection.owned_since = act.frame
    act.connection.step(Step.SETUP)


def _disable_rings(act: Act) -> None:
    act.connection.order_all_rings(Order.DISABLE_ALL)
    act.connection.step(Step.RESET)


def _replace_memory(act: Act) -> None:
    regions = act.fields["regions"][: act.fields["nregions"]]  # some send more slots than regions
    if act.connection.postcopy is Postcopy.LISTENING and not regions:
        return  # the message that ends the exchange of addresses, not an empty map
    names = [named.name for named in act.descriptors] + [""] * len(regions)
    before = len(act.connection.memory.regions)
    act.connection.memory.replace(
        tuple(
            Region(
                number,
                region["guest_addr"],
                region["size"],
                region["user_addr"],
                region.get("mmap_offset", 0),  # regions of 2014 have none
                names[number],
                act.frame,
            )
            for number, region in enumerate(regions)
        ),
        act.frame,
    )
    act.connection.memory.whole = True
    act.connection.changed("memory", f"{before} regions", f"{len(act.connection.memory.regions)} regions")
    act.connection.step(Step.SETUP)


def _add_memory(act: Act) -> None:
    fields = act.fields
    if "guest_addr" in fields:  # else the message that ends the exchange of addresses
        before = len(act.connection.memory.regions)
        act.connection.memory.add(
            fields["guest_addr"], fields["size"], fields["user_addr"], fields["mmap_offset"], act.descriptor, act.frame
        )
        act.connection.changed("memory", f"{before} regions", f"{before + 1} regions")
        act.connection.step(Step.SETUP)


def _remove_memory(act: Act) -> None:
    fields = act.fields
    before = len(act.connection.memory.regions)
    region = act.connection.memory.remove(fields["guest_addr"], fields["size"], fields["user_addr"], act.frame)
    if region is not None:
        act.replaced = region.descriptor
        act.connection.changed("memory", f"{before} regions", f"{before - 1} regions")


def _count_queues(act: Act) -> None:
    act.connection.queues = act.fields["queues"]


def _count_memory_slots(act: Act) -> None:
    act.connection.memory_slots = act.fields["slots"]


def _set_ring_size(act: Act) -> None:
    act.connection.ring(act.fields["index"]).size = act.fields["num"]


def _set_ring_addresses(act: Act) -> None:
    fields = act.fields
    act.connection.ring(fields["index"]).addresses = Addresses(
        act.frame, fields["desc"], fields["used"], fields["avail"], fields["log"], bool(fields["flags"] & 1)
    )


def _set_ring_base(act: Act) -> None:
    act.connection.ring(act.fields["index"]).base = act.fields["num"]


def _stop_ring(act: Act) -> None:
    ring = act.connection.ring(act.fields["index"])
    ring.stopped_at = None
    act.connection.order_ring(ring, Order.GET_BASE)


def _ring_stopped(act: Act) -> None:
    act.connection.ring(act.fields["index"]).stopped_at = act.fields["num"]


def _set_ring_descriptor(act: Act) -> None:
    ring = act.connection.ring(act.fields["index"])
    old = ring.slots[act.effect]
    new = Slot(act.descriptor, bool(act.fields["nofd"]), act.frame, old.epoch + 1)
    act.connection.give(ring, act.effect, new)
    if old.name != new.name:
        act.replaced = old.name
    if act.effect is Effect.SET_KICK and not act.connection.runs_on_order:
        act.connection.order_ring(ring, Order.KICK)


def _enable_ring(act: Act) -> None:
    order = Order.ENABLE if act.fields["num"] else Order.DISABLE
    act.connection.order_ring(act.connection.ring(act.fields["index"]), order)


def _run_ring(act: Act) -> None:
    order = Order.RUN if act.fields["num"] else Order.HALT
    act.connection.order_ring(act.connection.ring(act.fields["index"]), order)


def _halt_rings(act: Act) -> None:
    act.connection.order_all_rings(Order.HALT_ALL)
    act.connection.step(Step.RESET)


def _set_log(act: Act) -> None:
    if "mmap_size" in act.fields:
        size, offset = act.fields["mmap_size"], act.fields["mmap_offset"]
        act.connection.log = SharedFile(size, offset, act.descriptor, act.frame)


def _inflight(act: Act) -> None:
    size, offset = act.fields["mmap_size"], act.fields["mmap_offset"]
    act.connection.inflight = SharedFile(size, offset, act.descriptor, act.frame)


def _status(act: Act) -> None:
    status = act.fields["status"]
    if act.connection.status is not None:
        before, after = (" ".join(STATUS_BITS.names(word)) or "0" for word in (act.connection.status, status))
        act.connection.changed("status", before, after)
    act.connection.status = status


def _read_config(act: Act) -> None:
    if act.fields.get("offset") == 0:
        act.connection.config = bytes.fromhex(act.fields["contents"])[:_MOST_CONFIG]
        act.connection.guess.see_config(act.fields["size"])


def _postcopy(after: Postcopy) -> Apply:
    def apply(act: Act) -> None:
        act.connection.changed("postcopy", act.connection.postcopy.value, after.value)
        act.connection.postcopy = after

    return apply


def _start_state_transfer(act: Act) -> None:
    act.connection.transferring_state = "load" if act.fields["direction"] else "save"


def _end_state_transfer(act: Act) -> None:
    act.connection.transferring_state = ""


def _count_shared_memory(act: Act) -> None:
    act.connection.shared_memory = tuple(entry["size"] for entry in act.fields["sizes"])


ON_REQUEST: Mapping[Effect, Apply] = MappingProxyType(
    {
        Effect.ACK_FEATURES: _ack_features,
        Effect.ACK_PROTOCOL_FEATURES: _acknowledge(lambda connection: connection.protocol_features),
        Effect.ACK_GPU_FEATURES: _acknowledge(lambda connection: connection.gpu_features),
        Effect.TAKE_OWNERSHIP: _take_ownership,
        Effect.DISABLE_RINGS: _disable_rings,
        Effect.RESET: _disable_rings,
        Effect.REPLACE_MEMORY: _replace_memory,
        Effect.ADD_MEMORY: _add_memory,
        Effect.REMOVE_MEMORY: _remove_memory,
        Effect.SET_RING_SIZE: _set_ring_size,
        Effect.SET_RING_ADDRESSES: _set_ring_addresses,
        Effect.SET_RING_BASE: _set_ring_base,
        Effect.STOP_RING: _stop_ring,
        Effect.SET_KICK: _set_ring_descriptor,
        Effect.SET_CALL: _set_ring_descriptor,
        Effect.SET_ERR: _set_ring_descriptor,
        Effect.ENABLE_RING: _enable_ring,
        Effect.RUN_RING: _run_ring,
        Effect.HALT_RINGS: _halt_rings,
        Effect.SET_LOG: _set_log,
        Effect.ADVISE_POSTCOPY: _postcopy(Postcopy.ADVISED),
        Effect.START_POSTCOPY: _postcopy(Postcopy.LISTENING),
        Effect.END_POSTCOPY: _postcopy(Postcopy.ENDED),
        Effect.SET_INFLIGHT: _inflight,
        Effect.SET_STATUS: _status,
        Effect.START_STATE_TRANSFER: _start_state_transfer,
        Effect.CHECK_STATE_TRANSFER: _end_state_transfer,
    }
)

ON_REPLY: Mapping[Effect, Apply] = MappingProxyType(
    {
        Effect.OFFER_FEATURES: _offer_features,
        Effect.OFFER_PROTOCOL_FEATURES: _offer(lambda connection: connection.protocol_features),
        Effect.OFFER_GPU_FEATURES: _offer(lambda connection: connection.gpu_features),
        Effect.COUNT_QUEUES: _count_queues,
        Effect.COUNT_MEMORY_SLOTS: _count_memory_slots,
        Effect.STOP_RING: _ring_stopped,
        Effect.OFFER_INFLIGHT: _inflight,
        Effect.GET_STATUS: _status,
        Effect.READ_CONFIG: _read_config,
        Effect.COUNT_SHARED_MEMORY: _count_shared_memory,
    }
)
