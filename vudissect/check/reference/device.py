"""What the messages of a session do: negotiation, resets and memory here, the rest in a part for each subject."""

import os
import stat
from contextlib import suppress

from vudissect.check.link import Clock
from vudissect.check.reference.config_space import ConfigSpace
from vudissect.check.reference.control import Control
from vudissect.check.reference.core import Core, Fds, Handler
from vudissect.check.reference.fault import Faults, IgnoredError, RefusedError
from vudissect.check.reference.iotlb import MissError
from vudissect.check.reference.memory import SLOTS, MemoryMap
from vudissect.check.reference.migration import Migration
from vudissect.check.reference.models.model import Model
from vudissect.check.reference.net_setup import NetSetup
from vudissect.check.reference.postcopy import Postcopy
from vudissect.check.reference.ring_setup import RingSetup
from vudissect.check.reference.translation import Translation
from vudissect.check.reference.vring import Vring
from vudissect.protocol.features import PROTOCOL_FEATURES, STATUS_BITS, VIRTIO_FEATURES
from vudissect.protocol.purpose import Purpose
from vudissect.rings.memory import RingError
from vudissect.wire.fields import Fields

KEEPERS = frozenset({Purpose.SET_KICK, Purpose.SET_CALL, Purpose.SET_ERR, Purpose.OPEN_CHANNEL})
"""Messages whose descriptors are kept."""

_EVERY = VIRTIO_FEATURES.mask(
    *["VERSION_1", "PROTOCOL_FEATURES", "LOG_ALL", "INDIRECT_DESC", "EVENT_IDX", "RING_PACKED", "ACCESS_PLATFORM"]
)
OFFERED = PROTOCOL_FEATURES.mask(
    *["MQ", "LOG_SHMFD", "REPLY_ACK", "BACKEND_REQ", "CONFIG", "INFLIGHT_SHMFD", "RESET_DEVICE"],
    *["CONFIGURE_MEM_SLOTS", "STATUS", "DEVICE_STATE"],
)
"""What every device offers."""
_MORE = PROTOCOL_FEATURES.mask(
    *["GPA_ADDRESSES", "PAGEFAULT", "INBAND_NOTIFICATIONS", "GET_VRING_BASE_INFLIGHT", "GET_VRING_BASE_SKIP_DRAIN"],
    *["HOST_NOTIFIER", "BACKEND_SEND_FD"],
)
"""What is only offered to the suite: no front-end of today knows it."""
_IN_BAND = PROTOCOL_FEATURES.mask("INBAND_NOTIFICATIONS")
_IN_BAND_NEEDS = PROTOCOL_FEATURES.mask("BACKEND_REQ", "REPLY_ACK")
_OFTEN = 50
_KEPT: list[MemoryMap] = []
"""What a fault does not give back."""


def offered_by(model: Model, without: int) -> int:
    """The protocol features of a device, but for some."""
    return (OFFERED | _MORE | PROTOCOL_FEATURES.mask(*model.protocol_features)) & ~without


class Device:
    """The device as one front-end has set it up."""

    def __init__(self, model: Model, faults: Faults, offered: int, control: Control) -> None:
        self.core = Core(model, faults, offered, control)
        self._faults = faults
        self._virtio = _EVERY | model.features
        self._owned = False
        self._status = 0
        self._asked = 0
        core = self.core
        self.postcopy = Postcopy(core)
        self.handlers: dict[Purpose, Handler] = {
            Purpose.OFFER_FEATURES: lambda fields, fds: {"features": self._virtio},
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
            Purpose.OPEN_CHANNEL: self._open_channel,
            Purpose.SET_STATUS: self._set_status,
            Purpose.GET_STATUS: self._get_status,
            Purpose.COUNT_SHARED_MEMORY: self._count_shared_memory,
            Purpose.GIVE_OBJECT: self._give_object,
            Purpose.OPEN_SESSION: self._open_session,
            Purpose.CLOSE_SESSION: self._close_session,
            **RingSetup(core).handlers,
            **ConfigSpace(core).handlers,
            **Migration(core).handlers,
            **NetSetup(core).handlers,
            **self.postcopy.handlers,
            **Translation(core).handlers,
        }

    @property
    def rings(self) -> list[Vring]:
        """All of them."""
        return self.core.rings

    @property
    def has_waiting(self) -> bool:
        """Whether a ring is started and disabled."""
        return any(ring.started and not ring.enabled for ring in self.rings)

    def kicked(self, ring: Vring) -> None:
        """The kick descriptor of a ring is readable."""
        # It may be readable no more: another ring can have the same one.
        if Clock().poll([ring.kick], 0):
            with suppress(OSError):
                os.read(ring.kick, 8)
        if not self.core.run(ring) and ring.enabled and self._faults.has("RNG-40"):
            ring.broken = True

    def poll(self) -> None:
        """Look into the rings that are polled, or have more."""
        for ring in self.rings:
            if ring.has_more or (ring.polled and not self._faults.has("FDS-04")):
                self.core.run(ring)

    def close(self) -> None:
        """Close all descriptors; maps of memory hold one each, and go when nothing refers to this any more."""
        self.handlers.clear()
        for ring in self.rings:
            ring.close()
        self.core.channel.close()
        if self._faults.has("LIF-08"):
            _KEPT.append(self.core.map)
        self.core.model.inbox.clear()

    # Negotiation

    def _set_features(self, fields: Fields, _: Fds) -> None:
        core, features = self.core, fields["features"]
        self._faults.refuse("NEG-02", features & ~self._virtio, "features that are not offered")
        again = core.features is not None
        if again and self._faults.has("NEG-13"):
            raise RefusedError("features are set once")
        toggled = again and (core.features or 0) ^ features
        core.features = features
        core.log.on = core.has("LOG_ALL")
        for ring in self.rings:
            ring.is_packed = core.has("RING_PACKED")
            ring.event_index = core.has("EVENT_IDX")
            if not core.has("PROTOCOL_FEATURES") and not self._faults.has("NEG-10"):
                ring.enabled = True
            if toggled and self._faults.has("NEG-11"):
                ring.enabled = False

    def _get_protocol_features(self, _: Fields, __: Fds) -> Fields:
        if self.core.features is None and self._faults.has("NEG-01"):
            raise RefusedError("not acknowledged yet")
        return {"features": self.core.offered}

    def _set_protocol_features(self, fields: Fields, _: Fds) -> None:
        features = fields["features"]
        case = "NEG-04" if features & _IN_BAND else "NEG-03"
        self._faults.refuse(case, features & ~self.core.offered, "protocol features that are not offered")
        alone = features & _IN_BAND and _IN_BAND_NEEDS & ~features
        self._faults.refuse("NEG-04", alone, "in-band notifications without a channel or acknowledgements")
        self.core.protocol_features = features
        self.core.map.guest_only = self.core.agreed("GPA_ADDRESSES")

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
        if not self._faults.has("SHM-05"):
            self.core.model.begin(self.core.channel)
        if self._faults.has("LIF-04"):
            self.core.map = MemoryMap(self._faults)

    def _count_queues(self, _: Fields, __: Fds) -> Fields:
        if not self.core.agreed("MQ") and self._faults.has("NEG-09"):
            raise RefusedError("not agreed on")
        return {"queues": len(self.rings)}

    # Memory

    def _set_memory(self, fields: Fields, fds: Fds) -> Fields | None:
        if self.postcopy.ends_exchange(fds):
            return None
        if not fields["regions"]:
            self._faults.die_of("MEM-03")
        if any(region["mmap_offset"] % 4096 for region in fields["regions"]):
            self._faults.die_of("MEM-06")
        self.core.map.replace(fields["regions"], fds)
        for ring in self.rings:
            if self._faults.has("MEM-10"):
                ring.forget_place()
                continue
            self._find(ring)
        return self.postcopy.answer(fields)

    def _add_memory(self, fields: Fields, fds: Fds) -> Fields | None:
        if self.postcopy.ends_exchange(fds):
            return None
        self.core.map.add(fields, fds)
        return self.postcopy.answer(fields)

    def _remove_memory(self, fields: Fields, _: Fds) -> None:
        self.core.map.remove(fields)
        for ring in self.rings:
            self._find(ring)

    def _find(self, ring: Vring) -> None:
        """Where a ring is now that memory has changed; it may be nowhere."""
        try:
            ring.place(self.core.memory)
        except MissError:
            ring.forget_place()
        except RingError:
            if ring.started:
                self._faults.die_of("RNG-27")
                self._faults.die_of("MEM-32")
            else:
                self._faults.die_of("RNG-36")
            ring.forget_place()

    # What else there is

    def _open_channel(self, _: Fields, fds: Fds) -> None:
        mode = os.fstat(fds[0]).st_mode if fds else 0
        if stat.S_ISFIFO(mode):
            self._faults.die_of("CHN-04")
        self._faults.refuse("FDS-11" if fds else "CHN-05", not stat.S_ISSOCK(mode), "not a socket")
        self.core.channel.replace(fds[0] if fds else -1)

    def open_display(self, _: Fields, fds: Fds) -> None:
        """Pass the socket of a GPU to it."""
        self._faults.refuse("", len(fds) != 1 or not stat.S_ISSOCK(os.fstat(fds[0]).st_mode), "not a socket")
        self.core.model.open_display(fds[0], self._faults)

    def _set_status(self, fields: Fields, _: Fds) -> None:
        status, faults = fields["status"], self._faults
        if faults.has("STA-03"):
            status &= ~STATUS_BITS.mask("FEATURES_OK")
        if faults.has("STA-06") and status & STATUS_BITS.mask("DRIVER_OK"):
            raise RefusedError("not ready")
        if status or not faults.has("STA-04"):
            self._status = status

    def _get_status(self, _: Fields, __: Fds) -> Fields:
        self._asked += 1
        if self._faults.has("STA-01") or (self._faults.has("STA-05") and self._asked > _OFTEN):
            return {"status": 0}
        return {"status": self._status}

    def _count_shared_memory(self, _: Fields, __: Fds) -> Fields:
        odd = int(self._faults.has("SHM-01"))
        sizes = [size + odd for size in self.core.model.shared_memory]
        return {"nregions": len(sizes), "sizes": [{"size": size} for size in sizes]}

    def _give_object(self, fields: Fields, _: Fds) -> Fields:
        self.core.reply_descriptor = self.core.model.shared_object(fields["uuid"])
        if self.core.reply_descriptor < 0:
            self._faults.die_of("SHO-02")
        elif self._faults.has("SHO-03"):
            os.close(self.core.reply_descriptor)
            self.core.reply_descriptor = -1
        return {}

    def _open_session(self, fields: Fields, _: Fds) -> Fields:
        if "unused" not in fields:
            self._faults.die_of("CRY-03")
            raise RefusedError("the form of another release")
        if self._faults.has("CRY-02"):
            raise IgnoredError
        return {"op_code": fields["op_code"], "session_id": 1}

    def _close_session(self, _: Fields, __: Fds) -> None:
        self._faults.die_of("CRY-04")
