"""Named bits of a word: feature bits and flags. The sets themselves are in `features`, the devices and the dialects."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from vudissect.protocol.since import UNKNOWN, Since


class Bit(NamedTuple):
    """One bit of a feature set: its number, its name, and its former names."""

    number: int
    name: str
    aliases: tuple[str, ...] = ()
    since: Since = UNKNOWN
    note: str = ""


@dataclass(frozen=True, eq=False)
class BitSet:
    """Named bits of one word, such as the protocol features."""

    name: str
    bits: tuple[Bit, ...]
    source: str = ""

    @cached_property
    def by_number(self) -> dict[int, Bit]:
        """Bit number to row."""
        return {bit.number: bit for bit in self.bits}

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Name or old name to bit number."""
        return {name: bit.number for bit in self.bits for name in (bit.name, *bit.aliases)}

    def as_of(self, release: Since) -> "BitSet":
        """The bits that had their names by then; the same set if all of them had."""
        bits = tuple(bit for bit in self.bits if release.includes(bit.since))
        return self if bits == self.bits else replace(self, bits=bits)

    def mask(self, *names: str) -> int:
        """The word with the named bits set; an unknown name is a `KeyError`."""
        return sum(1 << self.numbers[name] for name in set(names))

    def known(self, *names: str) -> int:
        """The word with those of the named bits that the set has: an older dialect may lack some."""
        return sum(1 << self.numbers[name] for name in set(names) if name in self.numbers)

    def names(self, word: int) -> tuple[str, ...]:
        """Names of the bits set in `word`, lowest first; a bit without a name is `bit N`."""
        return tuple(
            self.by_number[number].name if number in self.by_number else f"bit {number}" for number in set_bits(word)
        )


def set_bits(word: int) -> Iterator[int]:
    """Numbers of the bits set in `word`, lowest first."""
    while word:
        lowest = word & -word
        yield lowest.bit_length() - 1
        word ^= lowest
