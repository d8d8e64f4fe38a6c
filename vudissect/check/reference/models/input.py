"""A keyboard on which nobody types: its configuration space answers questions."""

from vudissect.check.reference.fault import Faults
from vudissect.check.reference.models.model import Model
from vudissect.rings.chain import Chain
from vudissect.rings.memory import GuestMemory

_SIZE, _HEAD = 136, 8
_NAME = b"vudissect keyboard"
_EVENT_SIZE = 8


class Keyboard(Model):
    """Two rings, for events and for lights."""

    rings = 2
    receives = 0

    def __init__(self) -> None:
        super().__init__()
        self.config = bytearray(_SIZE)

    def writable(self, offset: int, length: int) -> bool:
        """See `Model`: select and subsel."""
        return offset + length <= 2

    def configured(self, faults: Faults) -> None:
        """See `Model`: the answer to what is selected now."""
        match self.config[0], self.config[1]:
            case (1, 0):
                answer = b"" if faults.has("INP-01") else _NAME
            case (0x11, 1):
                answer = b"" if faults.has("INP-02") else b"\xfe\xff"
            case _:
                answer = b"?" if faults.has("INP-03") else b""
        self.config[2] = len(answer)
        self.config[_HEAD:] = answer.ljust(_SIZE - _HEAD, b"\0")

    def serve(self, ring: int, chain: Chain, memory: GuestMemory, faults: Faults) -> int:
        """See `Model`."""
        if len(chain.read(memory)) % _EVENT_SIZE:
            faults.die_of("INP-05")
        return _EVENT_SIZE if faults.has("INP-04") else 0
