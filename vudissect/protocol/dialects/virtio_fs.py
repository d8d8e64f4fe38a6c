"""Messages for mapping files into the DAX window of virtio-fs: never merged, and replaced by SHMEM_MAP."""

from collections.abc import Iterator
from itertools import product

from vudissect.protocol.bits import Bit, BitSet
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.protocol.fields import pad, u16, u32, u64
from vudissect.protocol.model import (
    Answer,
    Array,
    BitField,
    Channel,
    Descriptors,
    FdKind,
    Field,
    Gate,
    Layout,
    Meaning,
    Row,
)
from vudissect.protocol.payloads import RESULT
from vudissect.protocol.since import Since, qemu

_LIST_2021 = "qemu-devel mailing list, 2021-04-28: virtiofs dax patches"
_SLOTS = 8
_ONE_FILE = Descriptors(FdKind.FILE, 1, 1)
_NO_FILE = Descriptors()

MAP_FLAGS = BitSet("mapping flags", (Bit(0, "MAP_R"), Bit(1, "MAP_W")), source=_LIST_2021)


def _slot(name: str, number: int, meaning: Meaning) -> Field:
    # A bit field over the whole word: an unused slot is zero and not shown.
    part = BitField(f"{name}{number}", 0, 64, meaning)
    return Field(part.name, "Q", Meaning.BITS, parts=(part,))


MAPPINGS = Layout(
    "file_mappings.eight",
    tuple(
        _slot(name, number, meaning)
        for (name, meaning), number in product(
            (
                ("fd_offset", Meaning.OFFSET),
                ("cache_offset", Meaning.OFFSET),
                ("len", Meaning.SIZE),
                ("flags", Meaning.HEX),
            ),
            range(_SLOTS),
        )
    ),
    note="eight of each, one after the other; flags are MAP_R 1 and MAP_W 2",
)

_MAPPINGS_COUNTED = Layout(
    "file_mappings.counted",
    (u16("count", Meaning.COUNT), pad(6)),
    Array(
        "mappings",
        Layout(
            "file_mapping",
            (
                u64("fd_offset", Meaning.OFFSET),
                u64("cache_offset", Meaning.OFFSET),
                u64("len", Meaning.SIZE),
                u64("flags", bits=MAP_FLAGS),
            ),
        ),
        "count",
    ),
)


def fs_messages(
    first: int, names: tuple[str, ...], layout: Layout, gate: Gate, since: Since, source: str
) -> Iterator[Row]:
    """The messages with these names, numbered from `first`."""
    for number, name in enumerate(names, first):
        summary, fds, answer = _MESSAGES[name]
        reply = (RESULT,) if answer is Answer.ALWAYS else ()
        yield Row(
            Channel.BACKEND, number, name, summary, (layout,), answer, reply, fds, gate=gate, since=since, source=source
        )


_MESSAGES = {
    "FS_MAP": ("Maps pieces of a file into the window.", _ONE_FILE, Answer.ON_REQUEST),
    "FS_UNMAP": ("Unmaps pieces of the window.", _NO_FILE, Answer.ON_REQUEST),
    "FS_SYNC": ("Writes pieces of the window back.", _NO_FILE, Answer.ON_REQUEST),
    "FS_IO": (
        "Moves data between a file and guest memory; the answer is the number of bytes moved.",
        _ONE_FILE,
        Answer.ALWAYS,
    ),
}
FS_NAMES = ("FS_MAP", "FS_UNMAP", "FS_SYNC", "FS_IO")

_GATE = Gate(protocol=("BACKEND_REQ", "BACKEND_SEND_FD"))

FS_DAX = Dialect(
    key="fs-dax",
    title="the DAX window of virtio-fs",
    when="2019 to 2021-02",
    who="virtiofsd in C, QEMU patches, Kata Containers",
    source="virtio-fs development tree of QEMU; qemu-devel mailing list, 2021-02-10",
    as_of=qemu("5.2"),
    rows=tuple(
        fs_messages(6, FS_NAMES, MAPPINGS, _GATE, Since("patches of", "2019"), "virtio-fs development tree of QEMU")
    ),
)

_MEM_FLAGS = BitSet("access flags", (Bit(0, "TO_MASTER"), Bit(1, "FROM_MASTER")), source=_LIST_2021)

FS_DAX_2021 = Dialect(
    key="fs-dax-2021",
    title="the DAX window of virtio-fs, as last sent",
    when="2021-04 to 2021-05",
    who="D. Gilbert, draft",
    source=_LIST_2021,
    note="MEM_ACCESS and MEM_DATA were tried later and never got a feature bit. The data of an access follow the "
    "message on the socket and are not counted in its size.",
    as_of=qemu("6.0"),
    rows=(
        *fs_messages(
            6, ("FS_MAP", "FS_UNMAP", "FS_IO"), _MAPPINGS_COUNTED, _GATE, Since("draft of", "2021-04"), _LIST_2021
        ),
        Row(
            Channel.BACKEND,
            9,
            "MEM_ACCESS",
            "Asks the front-end to read or write memory; the answer is MEM_DATA.",
            (
                Layout(
                    "memory_access",
                    (
                        u32("id"),
                        u32("flags", bits=_MEM_FLAGS),
                        u64("addr", Meaning.GUEST_ADDRESS),
                        u64("len", Meaning.SIZE),
                    ),
                ),
            ),
            gate=_GATE,
            since=Since("draft of", "2021"),
            source=_LIST_2021,
        ),
        Row(
            Channel.MAIN,
            41,
            "MEM_DATA",
            "Reports the result of a memory access.",
            (
                Layout(
                    "memory_access_result",
                    (
                        u32("id"),
                        u32("flags", bits=_MEM_FLAGS),
                        u32("err", Meaning.STATUS_CODE),
                        pad(4),
                        u64("len", Meaning.SIZE),
                    ),
                ),
            ),
            since=Since("draft of", "2021"),
            source=_LIST_2021,
        ),
    ),
)

_CRATE = "rust-vmm vhost crate, src/vhost_user/message.rs"

RUST_FS = Dialect(
    key="rust-fs",
    title="the DAX window of virtio-fs in rust-vmm",
    when="2019 to 2024-06",
    who="rust-vmm vhost crate, virtiofsd in Rust",
    source=_CRATE,
    note="The messages of fs-dax with other numbers.",
    as_of=qemu("9.0"),
    rows=tuple(
        fs_messages(
            1000,
            FS_NAMES,
            MAPPINGS,
            Gate(protocol=("BACKEND_REQ",)),
            Since("vhost crate", "0.1"),
            "rust-vmm vhost crate",
        )
    ),
)

DIALECTS = (FS_DAX, FS_DAX_2021, RUST_FS)
