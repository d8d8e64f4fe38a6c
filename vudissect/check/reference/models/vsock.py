"""Sockets between host and guest; nobody listens on any port."""

from vudissect.check.reference.fault import Faults
from vudissect.check.reference.models.model import Model
from vudissect.rings.chain import Chain
from vudissect.rings.memory import GuestMemory
from vudissect.rings.vsock import STREAM, Operation, read_header

_GUEST = 3


class Sockets(Model):
    """Answers everything with a reset, but a reset."""

    rings = 3
    receives = 0

    def __init__(self) -> None:
        super().__init__()
        self.config = bytearray(_GUEST.to_bytes(8, "little"))

    def serve(self, ring: int, chain: Chain, memory: GuestMemory, faults: Faults) -> int:
        """See `Model`."""
        header = read_header(chain.read(memory))
        if header is None:
            faults.die_of("VSK-04")
            return 0
        match header.operation:
            case Operation.RST:
                answered = faults.has("VSK-05")
            case Operation.REQUEST:
                answered = not faults.has("VSK-06" if header.kind != STREAM else "VSK-01")
            case Operation.RW:
                answered = not faults.has("VSK-02")
            case _:
                answered = not faults.has("VSK-03")
        if answered:
            self.inbox.append(header.answered_with(Operation.RST).pack())
        return 0
