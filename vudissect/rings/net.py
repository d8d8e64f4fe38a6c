"""Packets of a virtio network device. Source: virtio specification, Network Device, Device Operation."""

HEADER_SIZE = 12
"""With VERSION_1, or MRG_RXBUF."""

_BROADCAST = b"\xff" * 6
_SENDER = bytes.fromhex("525400123456")
_LOCAL_EXPERIMENT = b"\x88\xb5"


def packet(size: int = 64) -> bytes:
    """A header without offloads and a broadcast frame that nobody answers."""
    frame = _BROADCAST + _SENDER + _LOCAL_EXPERIMENT
    return bytes(HEADER_SIZE) + frame.ljust(size, b"\0")
