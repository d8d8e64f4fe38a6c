"""One record of a capture: an event, or a message as it was on the wire, with its times, descriptors and marks.

docs/capture-format.md describes the bytes of a record; `packet` packs them.
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple

from vudissect.host.descriptor import Descriptor
from vudissect.protocol.marks import Mark as Mark
from vudissect.protocol.model import Channel, Side


class RecordKind(IntEnum):
    """What a record is about; the numbers are in captures and never change."""

    MESSAGE = 1
    CONNECTION_OPENED = 2
    CONNECTION_CLOSED = 3
    CHANNEL_OPENED = 4
    CHANNEL_CLOSED = 5
    GAP = 6
    NOTE = 7
    RING_OBSERVED = 8
    CONTINUED = 9
    FAULT = 10


_EARLIER = int(Mark.EARLIER)
# Bytes of a header, and of the number and the flags in it.
_HEADER, _NAMED = 12, 8
NO_DETAILS: Mapping[str, str | int] = MappingProxyType({})


class Record(NamedTuple):
    """One record. Times are in nanoseconds.

    `received` and `forwarded` are on the monotonic clock of the recording machine, `time` is `received` as time
    since the epoch. `length` is the number of bytes that the message had on the wire, header included; `data`
    may be shorter (snap length). `details` holds the facts of an event (strings and numbers), and is empty for
    messages. `frame` numbers the records of a file from 1, as Wireshark does.
    """

    kind: RecordKind
    connection: int
    channel: Channel
    sender: Side
    sequence: int
    received: int
    forwarded: int
    time: int
    length: int
    data: bytes
    marks: Mark = Mark(0)
    descriptors: tuple[Descriptor, ...] = ()
    details: Mapping[str, str | int] = NO_DETAILS
    frame: int = 0

    @property
    def is_earlier(self) -> bool:
        """Whether it is repeated from an earlier file of a rotated capture, to explain the records of this one."""
        return bool(self.marks) and bool(int(self.marks) & _EARLIER)

    @property
    def is_cut(self) -> bool:
        """Whether only the first bytes of a message were recorded (snap length)."""
        return self.length > len(self.data)

    @property
    def is_named(self) -> bool:
        """Whether only number and flags of a message are known: it was made from a log without more."""
        return len(self.data) == _NAMED and self.length >= _HEADER

    @property
    def peer_names(self) -> tuple[str, str]:
        """Of an opened connection, the names of the peers' executable files, or else `programs`."""
        paths = (str(self.details.get(f"{side}_executable", "")) for side in ("front_end", "back_end"))
        front_end, back_end = (path.rpartition("/")[2] for path in paths)
        return front_end or self.programs[0], back_end or self.programs[1]

    @property
    def programs(self) -> tuple[str, str]:
        """Of an opened connection, the command names of the peers ("" if unknown), by `Side`."""
        front_end, back_end = (self.details.get(f"{side}_command", "") for side in ("front_end", "back_end"))
        return str(front_end), str(back_end)

    @property
    def back_end_executable(self) -> str:
        """Of an opened connection, the path of the back-end's executable; "" if unknown."""
        return str(self.details.get("back_end_executable", ""))

    @property
    def device_id(self) -> str:
        """Of an opened connection, the id of the device in its VM; "" if unknown."""
        return str(self.details.get("device_id", ""))

    @property
    def origin(self) -> str:
        """Of an opened connection, what its records were made from, as in `strace of the front-end`; "" if the recorder
        was between the peers."""
        source, seen_by = self.details.get("source", ""), self.details.get("seen_by", "")
        return f"{source} of {f'the {seen_by}' if seen_by else 'both sides'}" if source else ""

    @property
    def device(self) -> str:
        """Of an opened connection, the device type that the recording user named; "" for none."""
        return str(self.details.get("device", ""))
