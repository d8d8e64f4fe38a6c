"""Devices whose requests are a few bytes each way: a request that it knows has one answer, all others have another."""

from collections.abc import Callable
from typing import NamedTuple

from vudissect.check.reference.fault import Faults
from vudissect.check.reference.models.model import Model
from vudissect.rings.chain import Chain
from vudissect.rings.memory import GuestMemory


class Small(NamedTuple):
    """What a device is: the family of its cases, its rings, the size of the smallest request, and its two answers."""

    family: str
    rings: int
    least: int
    known: Callable[[bytes], bool]
    done: bytes
    failed: bytes
    config: bytes = b""


class SmallDevice(Model):
    """One of `SMALL`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._small = SMALL[name]
        self.rings = self._small.rings
        self.config = bytearray(self._small.config)

    def serve(self, ring: int, chain: Chain, memory: GuestMemory, faults: Faults) -> int:
        """See `Model`."""
        small, data = self._small, chain.read(memory)
        if len(data) < small.least:
            faults.die_of(f"{small.family}-03")
            return 0
        if faults.has(f"{small.family}-01"):
            return 0
        known = small.known(data) or faults.has(f"{small.family}-02")
        return chain.write(memory, (small.done if known else small.failed)[: chain.room])


def _word(data: bytes, at: int = 0, size: int = 2) -> int:
    return int.from_bytes(data[at : at + size], "little")


SMALL: dict[str, Small] = {
    "gpio": Small("GPI", 2, 8, lambda data: _word(data, 2) < 4, b"\0\1", b"\1\0", b"\4".ljust(8, b"\0")),
    "i2c": Small("IIC", 1, 8, lambda data: _word(data) < 0x800, b"\0", b"\1"),
    "scmi": Small(
        "SCM", 2, 4, lambda data: _word(data, 0, 4) >> 10 == 0x10, bytes(8) + b"\0\0\2\0", bytes(4) + b"\xff" * 4
    ),
    "rtc": Small(
        "RTC", 1, 8, lambda data: _word(data) == 0x1000, bytes(8) + b"\1".ljust(8, b"\0"), b"\2".ljust(8, b"\0")
    ),
    "sound": Small(
        "SND", 4, 4, lambda data: _word(data, 0, 4) == 0x100, b"\0\x80\0\0" + bytes(32), b"\2\x80\0\0", bytes(12)
    ),
    "can": Small("CAN", 3, 2, lambda data: _word(data) in (0x201, 0x202), b"\0", b"\1", bytes(2)),
    "spi": Small("SPI", 1, 32, lambda data: not data[0], bytes(5), bytes(4) + b"\1", b"\1".ljust(32, b"\0")),
    "media": Small(
        "MED",
        2,
        8,
        lambda data: _word(data, 0, 4) in (1, 2),
        bytes(8) + b"\1".ljust(8, b"\0"),
        b"\x19".ljust(8, b"\0"),
        bytes(40),
    ),
    "scsi": Small("SCS", 3, 51, lambda data: not data[1], bytes(108), bytes(11) + b"\3" + bytes(96), bytes(36)),
}
