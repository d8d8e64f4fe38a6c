"""A crypto device that has sessions, and does nothing in them."""

from vudissect.check.reference.fault import Faults
from vudissect.check.reference.models.model import Model
from vudissect.rings.chain import Chain
from vudissect.rings.memory import GuestMemory

_CONFIG_SIZE = 56


class Crypto(Model):
    """A ring for data, and one for control."""

    rings = 2
    protocol_features = ("CRYPTO_SESSION",)

    def __init__(self) -> None:
        super().__init__()
        self.config = bytearray(_CONFIG_SIZE)

    def serve(self, ring: int, chain: Chain, memory: GuestMemory, faults: Faults) -> int:
        """See `Model`."""
        return 0
