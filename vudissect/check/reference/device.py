"""What the messages of a session do: features, memory, rings, and what belongs to a disk."""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

from vudissect.check.reference.disk import CONFIG_SIZE, WRITEBACK_AT, Disk
from vudissect.check.reference.fault import Faults, IgnoredError, RefusedError
from vudissect.check.reference.memory import SLOTS, MemoryMap
from vudissect.check.reference.vring import Vring
from vudissect.host.descriptor import DescriptorKind
from vudissect.host.inspect import inspect
from vudissect.protocol.devices.storage import BLK
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.purpose import Purpose
from vudissect.rings.memory import RingError
from vudissect.wire.fields import Fields

Fds = tuple[int, ...]
Handler = Callable[[Fields, Fds], Fields | None]
"""Carries out a message; gives the fields of the answer, None where there is none, {} for an empty one."""

KEEPERS = frozenset({Purpose.SET_KICK, Purpose.SET_CALL, Purpose.SET_ERR, Purpose.OPEN_CHANNEL})
"""Messages whose descriptors are kept."""

_RINGS = 2
_MOST_ENTRIES = 32768
_VIRTIO = VIRTIO_FEATURES.mask(
    "VERSION_1", "PROTOCOL_FEATURES", "LOG_ALL", "INDIRECT_DESC", "EVENT_IDX", "RING_PACKED"
) | BLK.features.mask("SEG_MAX", "BLK_SIZE", "FLUSH", "CONFIG_WCE", "MQ")
_BIT_30 = VIRTIO_FEATURES.mask("PROTOCOL_FEATURES")
_PACKED = VIRTIO_FEATURES.mask("RING_PACKED")
_EVENT_IDX = VIRTIO_FEATURES.mask("EVENT_IDX")
_IN_BAND = PROTOCOL_FEATURES.mask("INBAND_NOTIFICATIONS")
OFFERED = PROTOCOL_FEATURES.mask(
    *["MQ", "LOG_SHMFD", "REPLY_ACK", "BACKEND_REQ", "CONFIG", "INFLIGHT_SHMFD", "RESET_DEVICE"],
    *["CONFIGURE_MEM_SLOTS", "STATUS", "DEVICE_STATE"],
)
_INFLIGHT_ENTRY, _INFLIGHT_HEAD = 16, 16
_STATE = b"vudissect reference back-end"


class Device:
    """The device as one front-end has set it up."""

    def __init__(self, disk: Disk, faults: Faults, offered: int) -> None:
        self.reply_descriptor = -1
        self.rings = [Vring(index, disk, faults) for index in range(_RINGS)]
        self._disk = disk
        self._faults = faults
        self._offered = offered
        self._features: int | None = None
        self._protocol_features = 0
        self._owned = False
        self._status = 0
        self._map = MemoryMap(faults)
        self._channel = -1
        self._stopped: set[int] = set()
        self.handlers: dict[Purpose, Handler] = {
            Purpose.OFFER_FEATURES: lambda fields, fds: {"features": _VIRTIO},
            Purpose.ACK_FEATURES: self._set_features,
            Purpose.OFFER_PROTOCOL_FEATURES: self._get_protocol_features,
            Purpose.ACK_PROTOCOL_FEATURES: self._set_protocol_features,
            Purpose.TAKE_OWNERSHIP: self._set_owner,
            Purpose.DISABLE_RINGS: self._reset_owner,
            Purpose.RESET: self._reset_device,
            Purpose.REPLACE_MEMORY: self._set_memory,
            Purpose.ADD_MEMORY: self._add_memory,
            Purpose.REMOVE_MEMORY: self._remove_memory,
            Purpose.COUNT_QUEUES: self._count_queues,
            Purpose.COUNT_MEMORY_SLOTS: lambda fields, fds: {"slots": SLOTS},
            Purpose.SET_RING_SIZE: self._set_size,
            Purpose.SET_RING_ADDRESSES: self._set_addresses,
            Purpose.SET_RING_BASE: self._set_base,
            Purpose.STOP_RING: self._stop_ring,
            Purpose.SET_KICK: self._set_kick,
            Purpose.SET_CALL: lambda fields, fds: self._set_event("call", fields, fds),
            Purpose.SET_ERR: lambda fields, fds: self._set_event("err", fields, fds),
            Purpose.ENABLE_RING: self._enable,
            Purpose.SET_LOG: self._set_log,
            Purpose.OPEN_CHANNEL: self._open_channel,
            Purpose.OFFER_INFLIGHT: self._get_inflight,
            Purpose.SET_INFLIGHT: lambda fields, fds: None,
            Purpose.SET_STATUS: self._set_status,
            Purpose.GET_STATUS: lambda fields, fds: {"status": 0 if faults.has("STA-01") else self._status},
            Purpose.READ_CONFIG: self._get_config,
            Purpose.WRITE_CONFIG: self._set_config,
            Purpose.START_STATE_TRANSFER: self._start_state,
            Purpose.CHECK_STATE_TRANSFER: lambda fields, fds: {"result": int(faults.has("DST-01"))},
        }

    @property
    def has_waiting(self) -> bool:
        """Whether a ring is started and disabled."""
        return any(ring.started and not ring.enabled for ring in self.rings)

    def agreed(self, name: str) -> bool:
        """Whether a protocol feature is acknowledged."""
        return bool(self._protocol_features & PROTOCOL_FEATURES.mask(name))

    def kicked(self, ring: Vring) -> None:
        """The kick descriptor of a ring is readable."""
        with suppress(OSError):
            os.read(ring.kick, 8)
        ring.run(self._map.memory)

    def poll(self) -> None:
        """Look into the rings that are polled."""
        for ring in self.rings:
            if ring.polled and not self._faults.has("FDS-04"):
                ring.run(self._map.memory)

    def close(self) -> None:
        """Close all descriptors; maps of memory hold one each, and go when nothing refers to this any more."""
        self.handlers.clear()
        for ring in self.rings:
            ring.close()
        if self._channel >= 0:
            os.close(self._channel)

    def _ring(self, fields: Fields, case: str) -> Vring:
        """The ring that a message is about; one that is not there is refused, or another one."""
        index: int = fields["index"]
        self._faults.refuse(case, index >= len(self.rings), f"no ring {index}")
        return self.rings[index % len(self.rings)]

    # Negotiation

    def _set_features(self, fields: Fields, _: Fds) -> None:
        features = fields["features"]
        self._faults.refuse("NEG-02", features & ~_VIRTIO, "features that are not offered")
        again = self._features is not None
        if again and self._faults.has("NEG-13"):
            raise RefusedError("features are set once")
        toggled = again and (self._features or 0) ^ features
        self._features = features
        for ring in self.rings:
            ring.is_packed = bool(features & _PACKED)
            ring.event_index = bool(features & _EVENT_IDX)
            if not features & _BIT_30 and not self._faults.has("NEG-10"):
                ring.enabled = True
            if toggled and self._faults.has("NEG-11"):
                ring.enabled = False

    def _get_protocol_features(self, _: Fields, __: Fds) -> Fields:
        if self._features is None and self._faults.has("NEG-01"):
            raise RefusedError("not acknowledged yet")
        return {"features": self._offered}

    def _set_protocol_features(self, fields: Fields, _: Fds) -> None:
        features = fields["features"]
        case = "NEG-04" if features & _IN_BAND else "NEG-03"
        self._faults.refuse(case, features & ~self._offered, "protocol features that are not offered")
        self._protocol_features = features

    def _set_owner(self, _: Fields, __: Fds) -> None:
        if self._owned:
            self._faults.die_of("NEG-05")
        self._owned = True

    def _reset_owner(self, _: Fields, __: Fds) -> None:
        if self._faults.has("LIF-06"):
            raise RefusedError("the owner cannot be reset")
        for ring in self.rings:
            ring.enabled = False

    def _reset_device(self, _: Fields, __: Fds) -> None:
        for ring in self.rings:
            ring.stop()
            ring.enabled = False
            ring.forget_place()
        if self._faults.has("LIF-04"):
            self._map = MemoryMap(self._faults)

    def _count_queues(self, _: Fields, __: Fds) -> Fields:
        if not self.agreed("MQ") and self._faults.has("NEG-09"):
            raise RefusedError("not agreed on")
        return {"queues": _RINGS}

    # Memory

    def _set_memory(self, fields: Fields, fds: Fds) -> None:
        if not fields["regions"]:
            self._faults.die_of("MEM-03")
        if any(region["mmap_offset"] % 4096 for region in fields["regions"]):
            self._faults.die_of("MEM-06")
        self._map.replace(fields["regions"], fds)
        for ring in self.rings:
            if self._faults.has("MEM-10"):
                ring.forget_place()
                continue
            try:
                ring.place(self._map.memory)
            except RingError:
                self._faults.die_of("RNG-27")
                ring.forget_place()

    def _add_memory(self, fields: Fields, fds: Fds) -> None:
        self._map.add(fields, fds)

    def _remove_memory(self, fields: Fields, _: Fds) -> None:
        self._map.remove(fields)

    # Rings

    def _set_size(self, fields: Fields, _: Fds) -> None:
        ring, size = self._ring(fields, "RNG-05" if fields["index"] < 256 else "RNG-06"), fields["num"]
        refuse = self._faults.refuse
        refuse("RNG-02", size == 0, "a ring without entries")
        refuse("RNG-04", size > _MOST_ENTRIES, "too many entries")
        refuse("RNG-03", not ring.is_packed and size & (size - 1) and size <= _MOST_ENTRIES, "not a power of two")
        ring.size = size

    def _set_addresses(self, fields: Fields, _: Fds) -> None:
        ring, refuse = self._ring(fields, ""), self._faults.refuse
        addresses = fields["desc"], fields["avail"], fields["used"]
        refuse("RNG-11", fields["desc"] % 16 or fields["avail"] % 2 or fields["used"] % 4, "not aligned")
        before, ring.addresses = ring.addresses, addresses
        try:
            ring.place(self._map.memory)
        except RingError as error:
            ring.forget_place()
            ring.addresses = before
            refuse("RNG-09" if self._map.memory.regions else "RNG-10", True, str(error))

    def _set_base(self, fields: Fields, _: Fds) -> None:
        ring = self._ring(fields, "")
        base = fields["num"]
        ring.set_base(base if ring.is_packed or self._faults.has("RNG-25") else base & 0xFFFF)

    def _stop_ring(self, fields: Fields, _: Fds) -> Fields:
        ring = self._ring(fields, "RNG-07")
        if fields["num"] and self._faults.has("RNG-24"):
            raise IgnoredError
        again = ring.index in self._stopped
        self._stopped.add(ring.index)
        never = not ring.started and not again
        base = ring.stop()
        if self._faults.has("RNG-16") and not never:
            base += 1
        if (self._faults.has("RNG-17") and never) or (self._faults.has("RNG-19") and again):
            base = 0
        return {"index": fields["index"], "num": base}

    def _set_kick(self, fields: Fields, fds: Fds) -> None:
        ring = self._ring(fields, "RNG-08")
        running = ring.started
        if not ring.size or ring.addresses is None:
            self._faults.die_of("RNG-26")
        self._set_event("kick", fields, fds)
        ring.polled = bool(fields["nofd"])
        self._stopped.discard(ring.index)
        try:
            ring.start(self._map.memory)
        except RingError as error:
            raise RefusedError(str(error)) from None
        if self._faults.has("RNG-13") and not running:
            with suppress(OSError):
                os.set_blocking(ring.kick, False)
                os.read(ring.kick, 8)
        elif not self._faults.has("RNG-15"):
            ring.run(self._map.memory)

    def _set_event(self, which: str, fields: Fields, fds: Fds) -> None:
        ring, refuse = self._ring(fields, "RNG-08"), self._faults.refuse
        refuse("FDS-02", fields["nofd"] and fds, "a descriptor that is not announced")
        refuse("FDS-03", not fields["nofd"] and not fds, "an announced descriptor that does not come")
        is_event = not fds or inspect(fds[0]).kind is DescriptorKind.EVENTFD
        refuse("FDS-10", not is_event, "not an eventfd")
        for fd in fds[1:]:
            os.close(fd)
        running = getattr(ring, which) >= 0 and ring.started
        if running and self._faults.has("RNG-20" if which == "call" else "RNG-28"):
            return
        if fds and is_event:
            os.set_blocking(fds[0], False)
        ring.replace(which, fds[0] if fds and is_event else -1)

    def _enable(self, fields: Fields, _: Fds) -> None:
        ring, refuse = self._ring(fields, ""), self._faults.refuse
        refuse("NEG-12", not (self._features or 0) & _BIT_30, "PROTOCOL_FEATURES is not acknowledged")
        refuse("RNG-12", fields["num"] > 1, "neither enabled nor disabled")
        ring.enabled = bool(fields["num"])
        if ring.enabled:
            ring.run(self._map.memory)

    # What else there is

    def _set_log(self, fields: Fields, _: Fds) -> Fields:
        return {"value": 0}

    def _open_channel(self, _: Fields, fds: Fds) -> None:
        is_socket = bool(fds) and stat.S_ISSOCK(os.fstat(fds[0]).st_mode)
        self._faults.refuse("FDS-11", not is_socket, "not a socket")
        if self._channel >= 0 and not self._faults.has("CHN-01"):
            os.close(self._channel)
        self._channel = fds[0] if fds else -1

    def _get_inflight(self, fields: Fields, _: Fds) -> Fields:
        size = fields["num_queues"] * (_INFLIGHT_HEAD + _INFLIGHT_ENTRY * fields["queue_size"])
        if not self._faults.has("INF-01"):
            self.reply_descriptor = os.memfd_create("inflight", os.MFD_CLOEXEC)
            os.truncate(self.reply_descriptor, size)
        return {**fields, "mmap_size": size, "mmap_offset": 0}

    def _set_status(self, fields: Fields, _: Fds) -> None:
        self._status = fields["status"]

    def _get_config(self, fields: Fields, _: Fds) -> Fields:
        if not self.agreed("CONFIG"):
            self._faults.die_of("CFG-06")
        offset, size = fields["offset"], fields["size"]
        if size == 256 and self._faults.has("CFG-02"):
            raise RefusedError("more than there is")
        beyond = offset + size > CONFIG_SIZE
        if beyond and not self._faults.has("CFG-03" if offset else "CFG-05"):
            return {}
        start = 0 if self._faults.has("CFG-04") else offset
        contents = bytes(self._disk.config[start : start + size]).ljust(size, b"\0")
        claimed = offset + 4 if self._faults.has("CFG-01") else offset
        return {"offset": claimed, "size": size, "flags": fields["flags"], "contents": contents}

    def _set_config(self, fields: Fields, _: Fds) -> None:
        contents = bytes.fromhex(fields["contents"])
        writeback = fields["offset"] == WRITEBACK_AT and len(contents) == 1
        self._faults.refuse("CFG-07", not writeback and not fields["flags"], "a read-only field")
        if writeback and self._faults.has("CFG-08"):
            raise RefusedError("writeback cannot be changed")
        if writeback:
            self._disk.config[WRITEBACK_AT] = contents[0]

    def _start_state(self, _: Fields, fds: Fds) -> Fields:
        started = any(ring.started for ring in self.rings)
        if started and not self._faults.has("DST-02"):
            return {"value": 1 | 1 << 8}
        for fd in fds:
            Thread(target=_write_state, args=(os.dup(fd),)).start()
        return {"value": 1 << 8}


def _write_state(fd: int) -> None:
    with suppress(OSError):
        os.write(fd, _STATE)
    os.close(fd)
