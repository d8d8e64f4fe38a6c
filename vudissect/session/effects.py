"""The effects of messages on the state of a connection: a function from state to state for each `Purpose`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from vudissect.protocol.features import F_PROTOCOL_FEATURES
from vudissect.protocol.purpose import Purpose
from vudissect.session.memory import MemoryMap, Region
from vudissect.session.names import NamedDescriptor
from vudissect.session.phases import Step
from vudissect.session.rings import Addresses, Order, Slot
from vudissect.session.shared import UNKNOWN_MAPPINGS, SharedMapping, SharedObjects
from vudissect.session.state import Postcopy, SharedFile, State
from vudissect.wire.fields import Fields

# More than the configuration of any device; a hostile back-end could send megabytes.
_MOST_CONFIG = 4096


class Act(NamedTuple):
    """A message that takes effect: its payload by field name, its descriptors, its frame, and its time (ns).

    `awaits`: it may get an answer. `asked_in` is the frame of the request that it answers, 0 if there is none.
    """

    purpose: Purpose
    fields: Fields
    descriptors: tuple[NamedDescriptor, ...]
    frame: int
    time: int
    awaits: bool = False
    asked_in: int = 0

    @property
    def descriptor(self) -> str:
        """The name of the first descriptor, or ""."""
        return self.descriptors[0].name if self.descriptors else ""


Apply = Callable[[State, Act], State]


def _offer_features(state: State, act: Act) -> State:
    word = act.fields["features"]
    state = replace(state, features=state.features.offer(word, act.frame), guess=state.guess.after_features(word))
    return state.after_step(Step.FEATURES)


def _ack_features(state: State, act: Act) -> State:
    word = act.fields["features"]
    state = replace(
        state, features=state.features.acknowledge(word, act.frame), guess=state.guess.after_features(word)
    ).after_step(Step.FEATURES)
    return state if word & F_PROTOCOL_FEATURES else state.after_order_to_all(Order.ENABLE_ALL, act.frame, act.time)


def _offer_protocol_features(state: State, act: Act) -> State:
    return replace(state, protocol_features=state.protocol_features.offer(act.fields["features"], act.frame))


def _ack_protocol_features(state: State, act: Act) -> State:
    return replace(state, protocol_features=state.protocol_features.acknowledge(act.fields["features"], act.frame))


def _offer_gpu_features(state: State, act: Act) -> State:
    return replace(state, gpu_features=state.gpu_features.offer(act.fields["features"], act.frame))


def _ack_gpu_features(state: State, act: Act) -> State:
    return replace(state, gpu_features=state.gpu_features.acknowledge(act.fields["features"], act.frame))


def _take_ownership(state: State, act: Act) -> State:
    return replace(state, owned_since=act.frame).after_step(Step.SETUP)


def _disable_rings(state: State, act: Act) -> State:
    return state.after_order_to_all(Order.DISABLE_ALL, act.frame, act.time).after_step(Step.RESET)


def _reset(state: State, act: Act) -> State:
    return _disable_rings(replace(state, mappings=UNKNOWN_MAPPINGS), act)


def _replace_memory(state: State, act: Act) -> State:
    regions = act.fields["regions"][: act.fields["nregions"]]  # some send more slots than regions
    if state.postcopy is Postcopy.LISTENING and not regions:
        return state  # the message that ends the exchange of addresses, not an empty map
    names = [named.name for named in act.descriptors] + [""] * len(regions)
    memory = MemoryMap(
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
        whole=True,
    )
    return replace(state, memory=memory).after_step(Step.SETUP)


def _add_memory(state: State, act: Act) -> State:
    fields = act.fields
    if "guest_addr" not in fields:
        return state  # the message that ends the exchange of addresses
    places = (fields["guest_addr"], fields["size"], fields["user_addr"], fields["mmap_offset"])
    region = Region(0, *places, act.descriptor, act.frame)
    return replace(state, memory=state.memory.with_region(region)).after_step(Step.SETUP)


def _remove_memory(state: State, act: Act) -> State:
    fields = act.fields
    region = state.memory.find(fields["guest_addr"], fields["size"], fields["user_addr"])
    return state if region is None else replace(state, memory=state.memory.without(region, act.frame))


def _count_queues(state: State, act: Act) -> State:
    return replace(state, queues=act.fields["queues"])


def _count_memory_slots(state: State, act: Act) -> State:
    return replace(state, memory_slots=act.fields["slots"])


def _set_ring_size(state: State, act: Act) -> State:
    return state.with_ring(replace(state.ring(act.fields["index"]), size=act.fields["num"]))


def _set_ring_addresses(state: State, act: Act) -> State:
    fields = act.fields
    addresses = Addresses(
        act.frame, fields["desc"], fields["used"], fields["avail"], fields["log"], bool(fields["flags"] & 1)
    )
    return state.with_ring(replace(state.ring(fields["index"]), addresses=addresses))


def _set_ring_base(state: State, act: Act) -> State:
    return state.with_ring(replace(state.ring(act.fields["index"]), base=act.fields["num"]))


def _stop_ring(state: State, act: Act) -> State:
    ring = replace(state.ring(act.fields["index"]), stopped_at=None)
    return state.after_order(ring, Order.GET_BASE, act.frame, act.time)


def _ring_stopped(state: State, act: Act) -> State:
    return state.with_ring(replace(state.ring(act.fields["index"]), stopped_at=act.fields["num"]))


def _set_ring_descriptor(state: State, act: Act) -> State:
    ring = state.ring(act.fields["index"])
    epoch = ring.slots[act.purpose].epoch + 1
    ring = ring.with_slot(act.purpose, Slot(act.descriptor, bool(act.fields["nofd"]), act.frame, epoch))
    if act.purpose is Purpose.SET_KICK and not state.runs_on_order:
        return state.after_order(ring, Order.KICK, act.frame, act.time)
    return state.with_ring(ring)


def _enable_ring(state: State, act: Act) -> State:
    order = Order.ENABLE if act.fields["num"] else Order.DISABLE
    return state.after_order(state.ring(act.fields["index"]), order, act.frame, act.time)


def _run_ring(state: State, act: Act) -> State:
    order = Order.RUN if act.fields["num"] else Order.HALT
    return state.after_order(state.ring(act.fields["index"]), order, act.frame, act.time)


def _halt_rings(state: State, act: Act) -> State:
    return state.after_order_to_all(Order.HALT_ALL, act.frame, act.time).after_step(Step.RESET)


def _set_log(state: State, act: Act) -> State:
    return replace(state, log=_shared_file(act)) if "mmap_size" in act.fields else state


def _inflight(state: State, act: Act) -> State:
    return replace(state, inflight=_shared_file(act))


def _shared_file(act: Act) -> SharedFile:
    return SharedFile(act.fields["mmap_size"], act.fields["mmap_offset"], act.descriptor, act.frame)


def _status(state: State, act: Act) -> State:
    return replace(state, status=act.fields["status"])


def _set_status(state: State, act: Act) -> State:
    state = _status(state, act)
    return state if state.status else replace(state, mappings=UNKNOWN_MAPPINGS)


def _read_config(state: State, act: Act) -> State:
    if act.fields.get("offset") != 0:
        return state
    config = bytes.fromhex(act.fields["contents"])[:_MOST_CONFIG]
    return replace(state, config=config, guess=state.guess.after_config(act.fields["size"]))


def _postcopy(after: Postcopy) -> Apply:
    def apply(state: State, _: Act) -> State:
        return replace(state, postcopy=after)

    return apply


def _start_state_transfer(state: State, act: Act) -> State:
    return replace(state, transferring_state="load" if act.fields["direction"] else "save")


def _end_state_transfer(state: State, _: Act) -> State:
    return replace(state, transferring_state="")


def _count_shared_memory(state: State, act: Act) -> State:
    return replace(state, shared_memory=tuple(entry["size"] for entry in act.fields["sizes"]))


def _map(state: State, act: Act) -> State:
    fields = act.fields
    place = (fields["shmid"], fields["shm_offset"], fields["len"])
    mapping = SharedMapping(*place, act.descriptor, fields["fd_offset"], act.frame)
    return replace(state, mappings=state.mappings.plus(mapping))


def _not_mapped(state: State, act: Act) -> State:
    mapping = state.mappings.by_frame.get(act.asked_in)
    if mapping is None or not act.fields.get("result"):
        return state
    return replace(state, mappings=state.mappings.minus(mapping))


def _unmap(state: State, act: Act) -> State:
    fields, mappings = act.fields, state.mappings
    for mapping in mappings.with_range(fields["shmid"], fields["shm_offset"], fields["len"]):
        mappings = mappings.minus(mapping)
    return state if mappings is state.mappings else replace(state, mappings=mappings)


def _add_object(state: State, act: Act) -> State:
    return _with_objects(state, act, state.objects.plus(act.fields["uuid"], act.frame))


def _remove_object(state: State, act: Act) -> State:
    return _with_objects(state, act, state.objects.minus(act.fields["uuid"]))


def _with_objects(state: State, act: Act, objects: SharedObjects) -> State:
    if act.awaits:
        objects = objects.awaiting(act.frame, act.fields["uuid"])
    return state if objects is state.objects else replace(state, objects=objects)


def _object_answered(state: State, act: Act) -> State:
    objects = state.objects.answered(act.asked_in, failed=bool(act.fields.get("result")))
    return state if objects is state.objects else replace(state, objects=objects)


ON_REQUEST: Mapping[Purpose, Apply] = MappingProxyType(
    {
        Purpose.ACK_FEATURES: _ack_features,
        Purpose.ACK_PROTOCOL_FEATURES: _ack_protocol_features,
        Purpose.ACK_GPU_FEATURES: _ack_gpu_features,
        Purpose.TAKE_OWNERSHIP: _take_ownership,
        Purpose.DISABLE_RINGS: _disable_rings,
        Purpose.RESET: _reset,
        Purpose.REPLACE_MEMORY: _replace_memory,
        Purpose.ADD_MEMORY: _add_memory,
        Purpose.REMOVE_MEMORY: _remove_memory,
        Purpose.SET_RING_SIZE: _set_ring_size,
        Purpose.SET_RING_ADDRESSES: _set_ring_addresses,
        Purpose.SET_RING_BASE: _set_ring_base,
        Purpose.STOP_RING: _stop_ring,
        Purpose.SET_KICK: _set_ring_descriptor,
        Purpose.SET_CALL: _set_ring_descriptor,
        Purpose.SET_ERR: _set_ring_descriptor,
        Purpose.ENABLE_RING: _enable_ring,
        Purpose.RUN_RING: _run_ring,
        Purpose.HALT_RINGS: _halt_rings,
        Purpose.SET_LOG: _set_log,
        Purpose.ADVISE_POSTCOPY: _postcopy(Postcopy.ADVISED),
        Purpose.START_POSTCOPY: _postcopy(Postcopy.LISTENING),
        Purpose.END_POSTCOPY: _postcopy(Postcopy.ENDED),
        Purpose.SET_INFLIGHT: _inflight,
        Purpose.SET_STATUS: _set_status,
        Purpose.START_STATE_TRANSFER: _start_state_transfer,
        Purpose.CHECK_STATE_TRANSFER: _end_state_transfer,
        Purpose.MAP_SHARED_MEMORY: _map,
        Purpose.UNMAP_SHARED_MEMORY: _unmap,
        Purpose.ADD_OBJECT: _add_object,
        Purpose.REMOVE_OBJECT: _remove_object,
    }
)

ON_REPLY: Mapping[Purpose, Apply] = MappingProxyType(
    {
        Purpose.OFFER_FEATURES: _offer_features,
        Purpose.OFFER_PROTOCOL_FEATURES: _offer_protocol_features,
        Purpose.OFFER_GPU_FEATURES: _offer_gpu_features,
        Purpose.COUNT_QUEUES: _count_queues,
        Purpose.COUNT_MEMORY_SLOTS: _count_memory_slots,
        Purpose.STOP_RING: _ring_stopped,
        Purpose.OFFER_INFLIGHT: _inflight,
        Purpose.GET_STATUS: _status,
        Purpose.READ_CONFIG: _read_config,
        Purpose.COUNT_SHARED_MEMORY: _count_shared_memory,
        Purpose.MAP_SHARED_MEMORY: _not_mapped,
        Purpose.ADD_OBJECT: _object_answered,
        Purpose.REMOVE_OBJECT: _object_answered,
    }
)
