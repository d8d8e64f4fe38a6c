"""What vuproxy reports at its start: where it listens, and whether the other side is there."""

from vudissect.host.address import Address, Role
from vudissect.host.endpoint import Presence, look_for
from vudissect.protocol.model import Side
from vudissect.proxy.shared import Settings


def greeting(settings: Settings) -> str:
    """One line about both sides."""
    return "; ".join(
        _about(side, address)
        for side, address in ((Side.FRONT_END, settings.front_end), (Side.BACK_END, settings.back_end))
    )


def _about(side: Side, address: Address) -> str:
    if address.role is Role.LISTEN:
        return f"listening at {address} for the {side.label}"
    match look_for(address):
        case Presence.THERE:
            return f"the {side.label} is there at {address}"
        case Presence.ABSENT:
            return f"nobody listens at {address} yet, where the {side.label} should be"
        case Presence.UNKNOWN:
            return f"the {side.label} is expected at {address}"
