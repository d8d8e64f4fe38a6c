"""Packets of a virtio network device. Source: virtio specification, Network Device, Device Operation."""

from enum import IntEnum
from struct import Struct

HEADER = Struct("<BBHHHHH")
"""Flags, `Gso` with `ECN`, length of the headers, size of a segment, two places of the checksum, number of buffers:
with VERSION_1, or MRG_RXBUF."""
HEADER_SIZE = HEADER.size
NEEDS_CHECKSUM = 0x1
ECN = 0x80


class Gso(IntEnum):
    """Into what the device divides a packet."""

    NONE = 0
    TCPV4 = 1
    UDP = 3
    TCPV6 = 4
    UDP_L4 = 5


KNOWN_GSO = frozenset(Gso)

_BROADCAST = b"\xff" * 6
_SENDER = bytes.fromhex("525400123456")
_LOCAL_EXPERIMENT = b"\x88\xb5"


def frame(size: int = 64) -> bytes:
    """A broadcast frame that nobody answers, of 14 bytes at least."""
    return (_BROADCAST + _SENDER + _LOCAL_EXPERIMENT).ljust(size, b"\0")


def packet(size: int = 64) -> bytes:
    """A header without offloads, and a frame."""
    return bytes(HEADER_SIZE) + frame(size)
