"""The state of a connection for programs: one JSON object, with names next to the raw numbers."""

import json
from collections.abc import Callable
from typing import Any

from vudissect.protocol.devices import feature_names
from vudissect.protocol.features import GPU_FEATURES, STATUS_BITS
from vudissect.protocol.model import Channel
from vudissect.protocol.purpose import Purpose
from vudissect.render.units import unicode
from vudissect.session.memory import Region
from vudissect.session.pairing import Pairing
from vudissect.session.rings import Enabled, Ring, Slot, Started
from vudissect.session.shared import SharedMapping
from vudissect.session.state import Negotiation, SharedFile, State

_SLOTS = ((Purpose.SET_KICK, "kick"), (Purpose.SET_CALL, "call"), (Purpose.SET_ERR, "err"))


def state_json(state: State, pairing: Pairing, frame: int, file: str) -> str:
    """One JSON object; keys are stable. What no message has set is null."""
    return json.dumps({"file": unicode(file), "frame": frame} | state_fields(state, pairing))


def state_fields(state: State, pairing: Pairing) -> dict[str, Any]:
    """The same as an object, without the place."""
    device = state.guess.device
    return {
        "connection": state.number,
        "phase": state.phase.value,
        "device": device.name if device is not None else None,
        "dialect": state.protocol.key,
        "features": _word(state.features, lambda word: feature_names(device, word)),
        "protocol_features": _word(state.protocol_features, state.protocol.protocol_features.names),
        "gpu_protocol_features": _word(state.gpu_features, GPU_FEATURES.names),
        "owned_since": state.owned_since,
        "queues": state.queues,
        "memory_slots": state.memory_slots,
        "status": _bits(state.status, STATUS_BITS.names),
        "memory": [_region(region) for region in state.memory.regions],
        "rings": [_ring(state, state.rings[index]) for index in sorted(state.rings)],
        "log": _shared(state.log),
        "inflight": _shared(state.inflight),
        "postcopy": state.postcopy.value,
        "device_state": state.transferring_state or None,
        "shared_memory": list(state.shared_memory) if state.shared_memory is not None else None,
        "mappings": [_mapping(each) for mapped in state.mappings.by_region.values() for each in mapped],
        "objects": dict(state.objects.added),
        "doubtful_objects": sorted(state.objects.doubtful),
        "waiting": [
            {"channel": channel.label, "name": request.name, "frame": request.frame}
            for channel in Channel
            for request in pairing[channel].owed()
        ],
        "device_guessed": device is not None and not state.guess.settled,
        "device_id": unicode(state.device_id) or None,
    }


def _bits(word: int | None, names: Callable[[int], tuple[str, ...]]) -> dict[str, Any] | None:
    return None if word is None else {"raw": word, "names": list(names(word))}


def _word(word: Negotiation, names: Callable[[int], tuple[str, ...]]) -> dict[str, Any]:
    return {"offered": _bits(word.offered, names), "acknowledged": _bits(word.acked, names)}


def _region(region: Region) -> dict[str, Any]:
    return {
        "number": region.number,
        "guest_addr": region.guest_addr,
        "size": region.size,
        "user_addr": region.user_addr,
        "mmap_offset": region.mmap_offset,
        "descriptor": region.descriptor or None,
        "frame": region.frame,
    }


def _ring(state: State, ring: Ring) -> dict[str, Any]:
    return {
        "index": ring.index,
        "started": ring.started is Started.STARTED,
        "enabled": ring.enabled is Enabled.ENABLED,
        "size": ring.size,
        "base": ring.base,
        "stopped_at": ring.stopped_at,
        "addresses": _addresses(state, ring),
        **{name: _slot(ring.slots[purpose]) for purpose, name in _SLOTS},
        "seen": {**ring.seen.details, "frame": ring.seen_in} if ring.seen is not None else None,
    }


def _addresses(state: State, ring: Ring) -> dict[str, Any] | None:
    addresses = ring.addresses
    if addresses is None:
        return None
    places: dict[str, Any] = {}
    for name, address in (("desc", addresses.desc), ("used", addresses.used), ("avail", addresses.avail)):
        place = state.ring_address(address)
        where = {"region": place.region.number, "offset": place.offset} if place is not None else None
        places[name] = {"raw": address, "place": where}
    return places | {"log": addresses.log if addresses.logged else None, "frame": addresses.frame}


def _slot(slot: Slot) -> dict[str, Any] | None:
    if not slot.epoch:
        return None
    return {"descriptor": slot.name or None, "frame": slot.frame, "given": slot.epoch}


def _shared(shared: SharedFile | None) -> dict[str, Any] | None:
    if shared is None:
        return None
    return {
        "size": shared.size,
        "offset": shared.offset,
        "descriptor": shared.descriptor or None,
        "frame": shared.frame,
    }


def _mapping(mapping: SharedMapping) -> dict[str, Any]:
    return {
        "region": mapping.region,
        "start": mapping.start,
        "size": mapping.size,
        "descriptor": mapping.descriptor or None,
        "offset": mapping.offset,
        "frame": mapping.frame,
    }
