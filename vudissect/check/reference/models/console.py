"""A console that echoes what is written to it."""

from vudissect.check.reference.fault import Faults
from vudissect.check.reference.models.model import Model
from vudissect.rings.chain import Chain
from vudissect.rings.memory import GuestMemory

_MUCH = 4096


class Console(Model):
    """One port."""

    rings = 2
    receives = 0

    def __init__(self) -> None:
        super().__init__()
        self.config = bytearray(12)

    def serve(self, ring: int, chain: Chain, memory: GuestMemory, faults: Faults) -> int:
        """See `Model`."""
        data = chain.read(memory)
        if not data:
            faults.die_of("CON-02")
        if len(data) > _MUCH:
            faults.die_of("CON-03")
            return 0
        if data and not faults.has("CON-04"):
            self.inbox.append(data)
        return 4 if faults.has("CON-01") else 0
