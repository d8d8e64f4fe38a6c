"""The vocabulary of the message table: what a row, a payload layout, a field and a feature bit can express.

No message is named here: the rows are in other modules of this package, and `table` looks them up. Everything is
immutable, so that a dialect is simply a modified copy; rows and layouts are compared by identity.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum
from functools import cached_property
from struct import Struct
from typing import NamedTuple

from vudissect.protocol.bits import BitSet
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.since import UNKNOWN, Since


class Side(IntEnum):
    """Who sent a message (or noted an event, for the proxy)."""

    FRONT_END = 0
    BACK_END = 1
    PROXY = 2

    @property
    def label(self) -> str:
        """The name in transcripts, JSON and Wireshark: `front-end`, `back-end`, `proxy`."""
        return _SIDE_LABELS[self]


_SIDE_LABELS = ("front-end", "back-end", "proxy")


class Channel(IntEnum):
    """One of the three sockets of a connection; each has its own message numbers."""

    MAIN = 0
    BACKEND = 1
    GPU = 2

    @property
    def label(self) -> str:
        """The name in transcripts, JSON and Wireshark: `main`, `backend`, `gpu`."""
        return _CHANNEL_LABELS[self]

    @property
    def initiator(self) -> Side:
        """The side whose messages are requests; what the other side sends are replies."""
        return Side.FRONT_END if self is Channel.MAIN else Side.BACK_END


_CHANNEL_LABELS = ("main", "backend", "gpu")


class Meaning(Enum):
    """What a number or a run of bytes represents, so that every view renders it in the same way."""

    NUMBER = "number"
    SIZE = "size in bytes"
    SECTORS = "sectors of 512 bytes"
    HEX = "opaque number"
    OFFSET = "offset into a file"
    RING = "virtqueue index"
    RING_BASE = "ring position (split: avail index; packed: avail and used index with wrap bits)"
    COUNT = "number of array entries that follow"
    USER_ADDRESS = "address in the front-end's process"
    GUEST_ADDRESS = "guest physical address"
    RING_ADDRESS = "user address, or IOVA with ACCESS_PLATFORM, or guest address with GPA_ADDRESSES"
    IOVA = "I/O virtual address"
    CHOICE = "one of named values"
    KIND = "one of named values, which decides what the whole payload means"
    BITS = "sub-fields in bits"
    FLAGS = "set of named bits"
    VIRTIO_FEATURES = "virtio feature bits, device-dependent"
    STATUS_CODE = "0 is success, anything else failure"
    MAC = "MAC address, first byte first in memory"
    UUID = "UUID, RFC 4122 byte order"
    TEXT = "NUL-padded text"
    BYTES = "bytes"
    CONFIG = "device configuration space, its layout depends on the device type"
    PIXELS = "pixels, 4 bytes each"
    SECRET = "key material, never shown and by default not stored"
    POINTER = "pointer of the sender, meaningless to the receiver"
    PADDING = "padding, contents undefined"
    LEFTOVER = "whatever was in the sender's memory"


class BitField(NamedTuple):
    """Part of an integer field: `width` bits starting at bit `low`."""

    name: str
    low: int
    width: int
    meaning: Meaning = Meaning.NUMBER

    @property
    def mask(self) -> int:
        """The bits that it covers."""
        return ((1 << self.width) - 1) << self.low


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One field of a fixed layout. `code` is a `struct` code without byte order: `I`, `Q`, `16s`, ….

    With `parts`, the value is read as these bit fields (they cover every bit); with `bits`, as a set of named
    bits; with `choices`, as one of named values. In a configuration space, the driver may write a `writable` field,
    and a field with a `feature` exists only with that feature.
    """

    name: str
    code: str
    meaning: Meaning = Meaning.NUMBER
    choices: Mapping[int, str] = field(default_factory=dict)
    bits: BitSet | None = None
    parts: tuple[BitField, ...] = ()
    note: str = ""
    writable: bool = False
    feature: str = ""

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return Struct("=" + self.code).size


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """Entries after the fixed fields: `count` is a number, the name of a field, or as many as fit."""

    name: str
    entry: "Layout"
    count: int | str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """Bytes after the fixed fields; their number is the product of `length` (numbers and field names).

    An empty `length` covers the rest of the payload.
    """

    field: Field
    length: tuple[int | str, ...] = ()


@dataclass(frozen=True, eq=False)
class Layout:
    """A payload, packed, in the byte order of the machine: fixed fields, then at most one array or tail.

    `key` is unique and never changes, because filters, layers and conversations use it: `memory_table.two_slots` is the
    form `two_slots` of a `memory_table`. Text after a colon distinguishes layouts that have one form
    (`vring_state:base`). `title` is for people only; without one it is the key in words.

    `when` distinguishes layouts of the same size: this one applies if the named field has one of these values.
    A `bare` form carries no descriptors, whatever the message's row says.
    `deviation` is set on layouts that real programs send but no specification allows; it says who sends it and why.
    """

    key: str
    fields: tuple[Field, ...] = ()
    array: Array | None = None
    tail: Tail | None = None
    title: str = ""
    when: tuple[str, frozenset[int]] | None = None
    bare: bool = False
    note: str = ""
    deviation: str = ""

    def __post_init__(self) -> None:
        if not self.title:
            object.__setattr__(self, "title", self.words)

    def __repr__(self) -> str:
        return f"<Layout {self.key}>"

    @property
    def form(self) -> tuple[str, str]:
        """The parts of the key that name the payload and its form; the form is empty if there is only one."""
        name, _, form = self.key.partition(":")[0].partition(".")
        return name, form

    @property
    def words(self) -> str:
        """The key as it is written in conversations and transcripts: `memory table (two slots)`."""
        name, form = (part.replace("_", " ") for part in self.form)
        return f"{name} ({form})" if form else name

    def is_called(self, text: str) -> bool:
        """Whether text is the key in words, ignoring case and punctuation."""
        return _plain(text) == _plain(self.words)

    @cached_property
    def codes(self) -> str:
        """`struct` codes of the fixed fields, without byte order."""
        return "".join(f.code for f in self.fields)

    @cached_property
    def fixed_size(self) -> int:
        """Bytes of the fixed fields."""
        return Struct("=" + self.codes).size

    @cached_property
    def size(self) -> int | None:
        """Bytes of the whole payload, or None where it depends on the contents."""
        if self.tail is not None:
            return None
        if self.array is None:
            return self.fixed_size
        count, entry = self.array.count, self.array.entry.size
        return self.fixed_size + count * entry if isinstance(count, int) and entry is not None else None

    @cached_property
    def is_region(self) -> bool:
        """Whether it describes a memory region: a piece of guest memory, its place in the front-end and in a file."""
        meanings = {field.meaning for field in self.fields}
        return {Meaning.GUEST_ADDRESS, Meaning.SIZE, Meaning.USER_ADDRESS, Meaning.OFFSET} <= meanings

    @cached_property
    def failure(self) -> int:
        """The bits of the first value that report a failed request if any is set; 0 if there is no result."""
        if not self.fields:
            return 0
        first = self.fields[0]
        if first.meaning is Meaning.STATUS_CODE:
            return -1
        return sum(part.mask for part in first.parts if part.meaning is Meaning.STATUS_CODE)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the decoded values: the fixed fields, then the array or the tail."""
        names = tuple(f.name for f in self.fields)
        if self.array is not None:
            names += (self.array.name,)
        if self.tail is not None:
            names += (self.tail.field.name,)
        return names

    @cached_property
    def size_text(self) -> str:
        """The size as people write it: `8`, `8 + 32 x nregions`, `12 + size`."""
        if self.size is not None:
            return str(self.size)
        if self.array is not None:
            count = self.array.count if self.array.count is not None else "n"
            return f"{self.fixed_size} + {self.array.entry.size} x {count}"
        assert self.tail is not None
        length = " x ".join(str(factor) for factor in self.tail.length) or "n"
        return f"{self.fixed_size} + {length}"


def _plain(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower().replace("'", ""))


class FdKind(StrEnum):
    """What kind of descriptor a message carries."""

    NONE = "none"
    MEMORY = "memory file"
    EVENT = "eventfd"
    SOCKET = "stream socket"
    PIPE = "pipe or file"
    USERFAULTFD = "userfaultfd"
    DMABUF = "dma-buf"
    FILE = "mappable file"


class Descriptors(NamedTuple):
    """How many descriptors a message carries, of which kind, and what decides their number.

    `per` names the payload field that counts them; `unless` names the payload bit that means there is none.
    """

    kind: FdKind = FdKind.NONE
    least: int = 0
    most: int = 0
    per: str = ""
    unless: str = ""
    note: str = ""


class Answer(Enum):
    """When a request is answered."""

    ALWAYS = "always"
    IF_LOG_SHMFD = "if LOG_SHMFD is negotiated"
    IF_POSTCOPY = "after POSTCOPY_LISTEN"
    IF_REPLY_ALL = "with the request itself if REPLY_ALL is negotiated"
    ON_REQUEST = "acknowledged if REPLY_ACK is negotiated and NEED_REPLY is set"
    NEVER = "never"


class PhaseNeeded(Enum):
    """How far a feature must be negotiated before a message may be sent."""

    OFFERED = "offered"
    NEGOTIATED = "negotiated"


class Gate(NamedTuple):
    """The features without which a message must not be sent, by name.

    `protocol` are protocol features, `virtio` are (VHOST_USER_)F_* bits of the feature word, `gpu` protocol
    features of the GPU channel.
    """

    protocol: tuple[str, ...] = ()
    virtio: tuple[str, ...] = ()
    gpu: tuple[str, ...] = ()
    phase: PhaseNeeded = PhaseNeeded.NEGOTIATED
    note: str = ""


class HeaderRules(NamedTuple):
    """What a header may contain on the main and the back-end channel.

    `versions` are those that either side may use. `error` is the bit of the request number that marks an answer as
    a failed request, sent back unchanged; 0 if there is none.
    """

    versions: tuple[int, ...] = (1,)
    error: int = 0


_NO_DESCRIPTORS = Descriptors()
_NO_GATE = Gate()


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One row of the table: everything about a message.

    `request` and `reply` list the known layouts, the specified one first; the size of the payload, and the count in it,
    distinguish them. `reply` has the explicit reply; the acknowledgement is the same for all, and a request sent back
    has the layouts of the request. `version` is the first header version that has the message.
    """

    channel: Channel
    id: int
    name: str
    summary: str
    request: tuple[Layout, ...]
    answer: Answer = Answer.ON_REQUEST
    reply: tuple[Layout, ...] = ()
    fds: Descriptors = _NO_DESCRIPTORS
    reply_fds: Descriptors = _NO_DESCRIPTORS
    gate: Gate = _NO_GATE
    opens: Channel | None = None
    aliases: tuple[str, ...] = ()
    purpose: Purpose = Purpose.NONE
    version: int = 1
    since: Since = UNKNOWN
    source: str = ""

    def __repr__(self) -> str:
        return f"<Row {self.channel.label} {self.id} {self.name}>"

    @property
    def known(self) -> bool:
        """Whether it is in a table; see `vudissect.protocol.unknown`."""
        return bool(self.name)

    @property
    def initiator(self) -> Side:
        """The side that sends the request."""
        return self.channel.initiator


@dataclass(frozen=True, eq=False)
class Device:
    """A virtio device type: configuration space, feature bits, and the names of its queues.

    Older peers may send a shorter `config`; it is decoded up to where it ends. `queues` names them in order; a name
    ending in `*` repeats.
    """

    id: int
    name: str
    config: Layout
    features: BitSet
    queues: tuple[str, ...] = ()
    note: str = ""

    def config_size(self, offered: int) -> int:
        """Bytes of the configuration space up to the last field that exists with these features."""
        size = end = 0
        for each in self.config.fields:
            end += each.size
            if not each.feature or offered & self.features.mask(each.feature):
                size = end
        return size
