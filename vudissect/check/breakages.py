"""What no driver may write into a ring, by the words of a talk."""

from collections.abc import Callable

from vudissect.check.memory import GUEST_ADDRESS, Arena
from vudissect.rings.chain import Buffer, DescriptorFlag, split_table
from vudissect.rings.packed import PackedDriver
from vudissect.rings.split import SplitDriver

_NOWHERE = 0xFFFF_FFFF_0000
_FLAGS_AT = 12

Breakage = Callable[[SplitDriver, Arena], None]
PackedBreakage = Callable[[PackedDriver, Arena], None]


def _avail_index(driver: SplitDriver, _: Arena) -> None:
    driver.ring.avail_idx = driver.base + driver.ring.size + 1


def _head(driver: SplitDriver, _: Arena) -> None:
    driver.offer_raw(driver.ring.size + 5)


def _loop(driver: SplitDriver, arena: Arena) -> None:
    buffer = arena.buffer(16)
    driver.ring.set_descriptor(0, buffer, DescriptorFlag.NEXT, 1)
    driver.ring.set_descriptor(1, buffer, DescriptorFlag.NEXT, 0)
    driver.offer_raw(0)


def _next(driver: SplitDriver, arena: Arena) -> None:
    driver.ring.set_descriptor(0, arena.buffer(16), DescriptorFlag.NEXT, driver.ring.size + 5)
    driver.offer_raw(0)


def _one(buffer: Buffer, flags: int = 0) -> Breakage:
    def offer(driver: SplitDriver, _: Arena) -> None:
        driver.ring.set_descriptor(0, buffer, flags)
        driver.offer_raw(0)

    return offer


def _short_table(driver: SplitDriver, arena: Arena) -> None:
    driver.ring.set_descriptor(0, arena.buffer(8), DescriptorFlag.INDIRECT)
    driver.offer_raw(0)


def _nested_table(driver: SplitDriver, arena: Arena) -> None:
    inner = arena.buffer(split_table([arena.buffer(16)]))
    table = bytearray(split_table([inner]))
    table[_FLAGS_AT] |= DescriptorFlag.INDIRECT
    driver.ring.set_descriptor(0, arena.buffer(bytes(table)), DescriptorFlag.INDIRECT)
    driver.offer_raw(0)


def _endless(driver: PackedDriver, arena: Arena) -> None:
    buffer = arena.buffer(16)
    driver.offer_raw(*[(buffer, DescriptorFlag.NEXT)] * driver.ring.size)


def _one_packed(buffer: Buffer, flags: int = 0) -> PackedBreakage:
    return lambda driver, _: driver.offer_raw((buffer, flags))


BREAKAGES: dict[str, Breakage] = {
    "avail index beyond the ring": _avail_index,
    "a chain without an end": _loop,
    "a buffer outside of memory": _one(Buffer(_NOWHERE, 16)),
    "a head beyond the table": _head,
    "a next beyond the table": _next,
    "an empty buffer": _one(Buffer(GUEST_ADDRESS, 0)),
    "a buffer of 4 GiB": _one(Buffer(GUEST_ADDRESS, 0xFFFF_FFFF)),
    "a table outside of memory": _one(Buffer(_NOWHERE, 16), DescriptorFlag.INDIRECT),
    "a table of 8 bytes": _short_table,
    "a table within a table": _nested_table,
}
"""What no driver may write into a split ring: words of a talk, and what writes it."""

PACKED_BREAKAGES: dict[str, PackedBreakage] = {
    "a chain without an end": _endless,
    "a buffer outside of memory": _one_packed(Buffer(_NOWHERE, 16)),
    "a table outside of memory": _one_packed(Buffer(_NOWHERE, 16), DescriptorFlag.INDIRECT),
}
"""The same for a packed ring."""
