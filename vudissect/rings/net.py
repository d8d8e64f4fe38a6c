"""Packets of a virtio network device. Source: virtio specification, Network Device, Device Operation."""

HEADER_SIZE = 12
"""With VERSION_1, or MRG_RXBUF."""
KNOWN_GSO = frozenset({0, 1, 3, 4, 5})
"""Values of gso_type: none, TCP, UDP."""

_BROADCAST = b"\xff" * 6
_SENDER = bytes.fromhex("525400123456")
_LOCAL_EXPERIMENT = b"\x88\xb5"


def frame(size: int = 64) -> bytes:
    """A broadcast frame that nobody answers, of 14 bytes at least."""
    return (_BROADCAST + _SENDER + _LOCAL_EXPERIMENT).ljust(size, b"\0")


def packet(size: int = 64) -> bytes:
    """A header without offloads, and a frame."""
    return bytes(HEADER_SIZE) + frame(size)
