"""A network device on whose other side nobody is: what is sent is dropped."""

from vudissect.check.reference.fault import Faults
from vudissect.check.reference.models.model import Model
from vudissect.protocol.devices.network import NET
from vudissect.rings.chain import Chain
from vudissect.rings.memory import GuestMemory
from vudissect.rings.net import HEADER_SIZE, KNOWN_GSO

_SMALL, _LARGE = HEADER_SIZE + 14, HEADER_SIZE + 4096
_GSO_AT = 1


class NetworkCard(Model):
    """Receives nothing."""

    rings = 128
    receives = 0
    features = NET.features.mask("MAC", "MTU", "MRG_RXBUF")
    protocol_features = ("MTU", "RARP")

    def __init__(self) -> None:
        super().__init__()
        self.config = bytearray(bytes.fromhex("525400123457") + bytes(4) + (1500).to_bytes(2, "little"))

    def serve(self, ring: int, chain: Chain, memory: GuestMemory, faults: Faults) -> int:
        """See `Model`."""
        data = chain.read(memory)
        if len(data) < HEADER_SIZE:
            faults.die_of("NET-08")
        elif data[_GSO_AT] not in KNOWN_GSO:
            faults.die_of("NET-09")
        elif len(data) > _LARGE:
            faults.die_of("NET-05")
        elif len(data) < _SMALL:
            faults.die_of("NET-07")
        if len(chain.buffers) > 2:
            faults.die_of("NET-06")
        return 0
