"""What a device type of the reference is."""

import os
from collections import deque

from vudissect.check.reference.channel import BackendChannel
from vudissect.check.reference.fault import Faults
from vudissect.rings.chain import Chain
from vudissect.rings.memory import GuestMemory


class Model:
    """A device. It outlives connections."""

    rings = 1
    """How many rings it has."""
    receives: int | None = None
    """The ring whose buffers it fills when it has something for the driver."""
    features = 0
    """The virtio features of its type."""
    protocol_features: tuple[str, ...] = ()
    """The protocol features that only this type has."""

    def __init__(self) -> None:
        self.config = bytearray()
        self.inbox: deque[bytes] = deque()
        self.channel: BackendChannel | None = None
        self.shared_memory: tuple[int, ...] = ()
        """The sizes of its shared memory regions."""

    def begin(self, channel: BackendChannel) -> None:
        """A session begins, or the device is reset: nothing is shared with the front-end any more."""
        self.channel = channel

    def grow(self) -> None:
        """Become larger, if it has a size."""

    def open_display(self, fd: int, faults: Faults) -> None:
        """Use the socket of a GPU, which is the device's own from now on."""
        os.close(fd)

    def shared_object(self, name: str) -> int:
        """A new descriptor of the shared object with this UUID, -1 if there is none."""
        return -1

    def writable(self, offset: int, length: int) -> bool:
        """Whether a driver may write this part of the configuration space."""
        return False

    def configured(self, faults: Faults) -> None:
        """The configuration space was written."""

    def serve(self, ring: int, chain: Chain, memory: GuestMemory, faults: Faults) -> int:
        """Do a request; how many bytes were written. `RingError` for buffers outside of memory."""
        raise NotImplementedError
