"""The messages about one ring: where it is, how it is notified, whether it runs."""

import mmap
import os
from contextlib import suppress

from vudissect.check.reference.core import Core, Fds, Handler
from vudissect.check.reference.fault import IgnoredError, RefusedError
from vudissect.check.reference.iotlb import MissError
from vudissect.host.descriptor import DescriptorKind
from vudissect.host.inspect import inspect
from vudissect.protocol.purpose import Purpose
from vudissect.rings.memory import RingError
from vudissect.wire.fields import Fields

_MOST_ENTRIES = 32768
_STOPS_BEFORE_FAULT = 10
_ABSENT = {"kick": "RNG-08", "call": "RNG-44", "err": "RNG-45"}


class RingSetup:
    """Configures, starts and stops the rings."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._faults = core.faults
        self._stopped: set[int] = set()
        self._stops = 0

    @property
    def handlers(self) -> dict[Purpose, Handler]:
        """By what a message is for."""
        return {
            Purpose.SET_RING_SIZE: self._set_size,
            Purpose.SET_RING_ADDRESSES: self._set_addresses,
            Purpose.SET_RING_BASE: self._set_base,
            Purpose.STOP_RING: self._stop,
            Purpose.SET_KICK: self._set_kick,
            Purpose.KICK_RING: self._kick,
            Purpose.SET_CALL: self._set_call,
            Purpose.SET_ERR: lambda fields, fds: self._set_event("err", fields, fds),
            Purpose.ENABLE_RING: self._enable,
        }

    def _set_size(self, fields: Fields, _: Fds) -> None:
        ring, size = self._core.ring(fields, "RNG-05" if fields["index"] < 256 else "RNG-06"), fields["num"]
        refuse = self._faults.refuse
        refuse("RNG-02", size == 0, "a ring without entries")
        refuse("RNG-04", size > _MOST_ENTRIES, "too many entries")
        refuse("RNG-03", not ring.is_packed and size & (size - 1) and size <= _MOST_ENTRIES, "not a power of two")
        refuse("", ring.is_packed and size & (size - 1) and self._faults.has("PKD-06"), "not a power of two")
        refuse("", size == _MOST_ENTRIES and self._faults.has("PKD-07" if ring.is_packed else "RNG-62"), "too many")
        if ring.started:
            self._faults.die_of("RNG-46")
        ring.size = size

    def _set_addresses(self, fields: Fields, _: Fds) -> None:
        ring, refuse = self._core.ring(fields, "RNG-43"), self._faults.refuse
        if fields["index"] != ring.index:
            return
        addresses = fields["desc"], fields["avail"], fields["used"]
        refuse("RNG-11", fields["desc"] % 16 or fields["avail"] % 2 or fields["used"] % 4, "not aligned")
        ring.log_address = fields["log"] if fields["flags"] else None
        before, ring.addresses = ring.addresses, addresses
        try:
            ring.place(self._core.memory)
        except MissError as miss:
            self._core.miss(miss)
        except RingError as error:
            ring.forget_place()
            ring.addresses = before
            refuse("RNG-09" if self._core.map.memory.regions else "RNG-10", True, str(error))

    def _set_base(self, fields: Fields, _: Fds) -> None:
        ring, base = self._core.ring(fields, "RNG-42"), fields["num"]
        if not ring.is_packed and not self._faults.has("RNG-25"):
            base &= 0x7FFF if self._faults.has("RNG-58") else 0xFFFF
        ring.set_base(base)

    def _stop(self, fields: Fields, _: Fds) -> Fields:
        ring = self._core.ring(fields, "RNG-07")
        if fields["num"] and self._faults.has("RNG-24"):
            raise IgnoredError
        again = ring.index in self._stopped
        self._stopped.add(ring.index)
        never = not ring.started and not again
        if not self._faults.has("INF-15") if self._core.drains else self._faults.has("NEW-04"):
            self._core.drain()
        base = ring.stop()
        self._stops += 1
        if self._faults.has("RNG-32"):
            for each in self._core.rings:
                each.stop()
        if self._faults.has("RNG-16", "NEW-03") and not never:
            base += 1
        if self._faults.has("RNG-37") and self._stops > _STOPS_BEFORE_FAULT:
            base -= 1
        if (self._faults.has("RNG-17") and never) or (self._faults.has("RNG-19") and again):
            base = 0
        return {"index": fields["index"], "num": base}

    def _set_kick(self, fields: Fields, fds: Fds) -> None:
        ring = self._core.ring(fields, "RNG-08")
        running = ring.started
        if not ring.size or ring.addresses is None:
            self._faults.die_of("RNG-26")
        if running and self._faults.has("RNG-61"):
            ring.set_base(0)
        self._set_event("kick", fields, fds)
        ring.polled = bool(fields["nofd"]) and not self._core.agreed("INBAND_NOTIFICATIONS")
        self._stopped.discard(ring.index)
        if self._faults.has("RNG-30") and not self._core.rings[0].started and ring.index:
            return
        try:
            ring.start(self._core.memory)
        except MissError as miss:
            self._core.miss(miss)
        except RingError as error:
            # What came with a message that is refused is closed by whoever received it.
            ring.kick = -1
            raise RefusedError(str(error)) from None
        self._pass_notifier(ring.index)
        if self._faults.has("RNG-13") and not running:
            with suppress(OSError):
                os.set_blocking(ring.kick, False)
                os.read(ring.kick, 8)
        elif not self._faults.has("RNG-15"):
            self._core.run(ring)

    def _pass_notifier(self, index: int) -> None:
        """Memory that may be written to in place of the kick descriptor; nobody looks into it here."""
        core = self._core
        agreed = core.agreed("HOST_NOTIFIER") and core.agreed("BACKEND_SEND_FD")
        if core.channel.fd < 0 or not (agreed or self._faults.has("CHN-09")):
            return
        size = mmap.PAGESIZE // (2 if self._faults.has("CHN-10") else 1)
        memory = os.memfd_create("notifier", os.MFD_CLOEXEC)
        os.truncate(memory, mmap.PAGESIZE)
        core.channel.ask(Purpose.PASS_NOTIFIER, {"index": index, "nofd": 0, "size": size, "offset": 0}, (memory,))
        os.close(memory)

    def _set_call(self, fields: Fields, fds: Fds) -> None:
        self._set_event("call", fields, fds)
        ring = self._core.ring(fields, "RNG-44")
        ring.in_band = None
        if fields["nofd"] and self._core.agreed("INBAND_NOTIFICATIONS"):
            ring.in_band = lambda: self._call(ring.index)

    def _kick(self, fields: Fields, _: Fds) -> None:
        if not self._faults.has("INB-02"):
            self._core.run(self._core.ring(fields, "RNG-08"))

    def _call(self, index: int) -> None:
        if not self._faults.has("INB-03"):
            self._core.channel.tell(Purpose.CALL_RING, {"index": index})

    def _set_event(self, which: str, fields: Fields, fds: Fds) -> None:
        ring, refuse = self._core.ring(fields, _ABSENT[which]), self._faults.refuse
        refuse("FDS-02", fields["nofd"] and fds, "a descriptor that is not announced")
        refuse("FDS-03", not fields["nofd"] and not fds, "an announced descriptor that does not come")
        is_event = not fds or inspect(fds[0]).kind is DescriptorKind.EVENTFD
        refuse("FDS-10", not is_event, "not an eventfd")
        for fd in fds[1:]:
            os.close(fd)
        running = getattr(ring, which) >= 0 and ring.started
        if running and self._faults.has("RNG-20" if which == "call" else "RNG-28"):
            return
        if fields["nofd"] and self._faults.has("RNG-35"):
            return
        if fds and is_event:
            os.set_blocking(fds[0], self._faults.has("RNG-33"))
        ring.replace(which, fds[0] if fds and is_event else -1)

    def _enable(self, fields: Fields, _: Fds) -> None:
        ring, refuse = self._core.ring(fields, "RNG-41"), self._faults.refuse
        refuse("NEG-12", not self._core.has("PROTOCOL_FEATURES"), "PROTOCOL_FEATURES is not acknowledged")
        refuse("RNG-12", fields["num"] > 1, "neither enabled nor disabled")
        if not ring.size:
            self._faults.die_of("RNG-59")
        before, ring.enabled = ring.enabled, bool(fields["num"])
        if self._faults.has("RNG-31"):
            for other in self._core.rings:
                other.enabled = other is ring
        if self._faults.has("RNG-60") and before:
            ring.enabled = False
        if self._faults.has("RNG-38") and not ring.enabled:
            ring.started = False
        if ring.enabled and not self._faults.has("RNG-29"):
            self._core.run(ring)
