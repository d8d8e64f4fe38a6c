"""The message table as a whole, and look-up of rows.

A dialect is the same kind of object with some rows and bits changed; `UPSTREAM` is the newest published revision.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property

from vudissect.protocol import back_end, front_end, gpu
from vudissect.protocol.bits import BitSet
from vudissect.protocol.features import PROTOCOL_FEATURES
from vudissect.protocol.model import Channel, HeaderRules, Row
from vudissect.protocol.since import Since

# How the C sources spell the names, and therefore what people paste into a search box. Longest first.
NAME_PREFIXES = ("VHOST_USER_BACKEND_", "VHOST_USER_SLAVE_", "VHOST_USER_GPU_", "VHOST_USER_")

_HEADER = HeaderRules()

# In a message number: 32 bits, and room for leading zeros.
_MOST_DIGITS = 20
_WILD = frozenset("*?[")


@dataclass(frozen=True)
class Protocol:
    """The rows and feature bits in effect between two peers."""

    key: str
    messages: tuple[Row, ...]
    protocol_features: BitSet
    header: HeaderRules = _HEADER

    @cached_property
    def _by_id(self) -> dict[tuple[Channel, int], Row]:
        return {(message.channel, message.id): message for message in self.messages}

    def request(self, channel: Channel, number: int) -> Row | None:
        """The row of a message number on a channel, or None if there is none."""
        return self._by_id.get((channel, number))

    def channel(self, channel: Channel) -> tuple[Row, ...]:
        """The rows of one channel, in order of their numbers."""
        return tuple(message for message in self.messages if message.channel is channel)

    def newer_features(self, word: int) -> int:
        """The protocol features in a word that are above the last one here: they were added after this table."""
        return word >> (1 + max(self.protocol_features.by_number)) << (1 + max(self.protocol_features.by_number))

    def follows(self, channel: Channel, number: int) -> int:
        """How far a message number is above the last one of a channel; 0 or less if it is not."""
        return number - max(row.id for row in self.channel(channel))

    def as_of(self, release: Since) -> "Protocol":
        """The table as it was at a release: without the messages and protocol features that came later."""
        messages = tuple(row for row in self.messages if release.includes(row.since))
        return replace(self, messages=messages, protocol_features=self.protocol_features.as_of(release))

    def find(self, text: str) -> tuple[Row, ...]:
        """Rows with this number, or whose name or old name matches; ignores case and prefix, accepts `*`."""
        if text.isdecimal():
            if len(text) > _MOST_DIGITS:
                return ()
            return tuple(message for message in self.messages if message.id == int(text))
        return tuple(filter(_named(plain_name(text)), self.messages))


def _named(pattern: str) -> Callable[[Row], bool]:
    """Whether a row has a name like this. Most patterns are a name, and a comparison is quicker than a match."""
    if _WILD.isdisjoint(pattern):
        return lambda row: pattern == row.name or pattern in row.aliases
    return lambda row: any(fnmatchcase(name, pattern) for name in (row.name, *row.aliases))


def plain_name(text: str) -> str:
    """A message name as spelled in the table: upper case, without the prefix of the C sources."""
    name = text.upper()
    for prefix in NAME_PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


UPSTREAM = Protocol("upstream", front_end.MESSAGES + back_end.MESSAGES + gpu.MESSAGES, PROTOCOL_FEATURES)
