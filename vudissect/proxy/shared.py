"""What all connections of a relay share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vudissect.host.access import PRIVATE, Access
from vudissect.host.address import Address, Role
from vudissect.proxy.poller import Poller
from vudissect.proxy.recorder import Recorder
from vudissect.wire.header import ByteOrder

if TYPE_CHECKING:
    from vudissect.proxy.faulting import Faults


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration of a relay: where the front-end and the back-end are, and how to treat them.

    `device` is the name of the device type, for the capture; "" if the user has not named it. `device_id` is the id of
    the device in its VM, or "".
    `access` is that of the sockets in the file system on which the relay listens.
    """

    front_end: Address
    back_end: Address
    once: bool = False
    wait: float = 30.0
    interpose: bool = True
    byte_order: ByteOrder | None = None
    device: str = ""
    device_id: str = ""
    access: Access = PRIVATE

    @property
    def listens_at_a_path(self) -> bool:
        """Whether there is a socket that `access` applies to."""
        return any(side.is_path and side.role is Role.LISTEN for side in (self.front_end, self.back_end))


@dataclass(frozen=True, slots=True)
class Shared:
    """The settings, and the objects that exist once: the loop, the recorder, and what decides on faults, if any."""

    settings: Settings
    poller: Poller
    recorder: Recorder
    faults: "Faults | None" = None
