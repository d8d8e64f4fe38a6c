"""The messages that only network devices have."""

from vudissect.check.reference.core import Core, Fds, Handler
from vudissect.check.reference.fault import RefusedError
from vudissect.protocol.purpose import Purpose
from vudissect.wire.fields import Fields

_LEAST_MTU, _MOST_MTU = 68, 0xFFFF


class NetSetup:
    """Nothing comes of them, as there is no network."""

    def __init__(self, core: Core) -> None:
        self._faults = core.faults

    @property
    def handlers(self) -> dict[Purpose, Handler]:
        """By what a message is for."""
        return {Purpose.SET_MTU: self._set_mtu, Purpose.ANNOUNCE: self._announce}

    def _set_mtu(self, fields: Fields, _: Fds) -> None:
        mtu, faults = fields["mtu"], self._faults
        faults.refuse("NET-03", mtu < _LEAST_MTU, "too small")
        faults.refuse("NET-04", mtu > _MOST_MTU, "too large")
        if faults.has("NET-01"):
            raise RefusedError("the MTU cannot be set")

    def _announce(self, _: Fields, __: Fds) -> None:
        if self._faults.has("NET-02"):
            raise RefusedError("nothing to announce")
