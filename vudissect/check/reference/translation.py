"""The messages that fill the device IOTLB, and empty it."""

from vudissect.check.reference.core import Core, Fds, Handler
from vudissect.check.reference.fault import IgnoredError
from vudissect.check.reference.iotlb import Entry
from vudissect.protocol.payloads import IOTLB_UPDATE
from vudissect.protocol.purpose import Purpose
from vudissect.rings.memory import RingError
from vudissect.wire.fields import Fields

_INVALIDATE = 3
_READ_WRITE = 3


class Translation:
    """Every message has a result, 0 if it was done."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._faults = core.faults

    @property
    def handlers(self) -> dict[Purpose, Handler]:
        """By what a message is for."""
        return {Purpose.UPDATE_IOTLB: self._change}

    def _change(self, fields: Fields, _: Fds) -> Fields:
        faults = self._faults
        if faults.has("IOT-09"):
            raise IgnoredError
        if not self._core.has("ACCESS_PLATFORM"):
            return {"result": int(not faults.has("IOT-07"))}
        if fields["type"] not in (IOTLB_UPDATE, _INVALIDATE):
            return {"result": int(not faults.has("IOT-04"))}
        if fields["perm"] > _READ_WRITE:
            return {"result": int(not faults.has("IOT-05"))}
        if fields["type"] == _INVALIDATE:
            self._forget(fields["iova"], fields["size"])
            return {"result": 0}
        return self._map(Entry(fields["iova"], fields["size"], fields["user_addr"]))

    def _map(self, entry: Entry) -> Fields:
        try:
            self._core.map.memory.at_user(entry.user, entry.size)
        except RingError:
            return {"result": int(not self._faults.has("IOT-03"))}
        if not self._faults.has("IOT-01"):
            self._core.entries.append(entry)
        for ring in self._core.rings:
            self._core.run(ring)
        return {"result": 0}

    def _forget(self, iova: int, size: int) -> None:
        if self._faults.has("IOT-06"):
            return
        self._core.entries[:] = [each for each in self._core.entries if not each.overlaps(iova, size)]
        for ring in self._core.rings:
            ring.forget_place()
