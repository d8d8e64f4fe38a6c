"""A source of random numbers."""

import os

from vudissect.check.reference.fault import Faults
from vudissect.check.reference.models.model import Model
from vudissect.rings.chain import Chain
from vudissect.rings.memory import GuestMemory

_MUCH = 4096


class Entropy(Model):
    """As much as is asked for."""

    rings = 1

    def serve(self, ring: int, chain: Chain, memory: GuestMemory, faults: Faults) -> int:
        """See `Model`."""
        if not chain.room:
            faults.die_of("RND-03")
        if faults.has("RND-02") and chain.room > _MUCH:
            return 0
        if faults.has("RND-01") and chain.room == 1:
            return 0
        if faults.has("RND-04"):
            return chain.write(memory, b"\x17" * chain.room)
        return chain.write(memory, os.urandom(chain.room))
