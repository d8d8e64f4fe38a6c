"""Features that had another number for a while: SHARED_OBJECT and the shared memory of the device."""

from dataclasses import replace

from vudissect.protocol.bits import Bit
from vudissect.protocol.dialects.dialect import Dialect, upstream_row
from vudissect.protocol.fields import raw, u32, u64
from vudissect.protocol.model import Array, Channel, Gate, Layout, Meaning, Row, Tail
from vudissect.protocol.payloads import REGION_SIZE, SHMEM_CONFIG
from vudissect.protocol.since import Since, qemu

_DRAFTS = "qemu-devel mailing list, 2024-06 to 2026-01, A. Esteve: vhost-user: Add SHMEM_MAP/UNMAP requests"

SHOBJ_BIT17 = Dialect(
    key="shobj-bit17",
    title="SHARED_OBJECT as feature 17",
    when="2023-10-04 to 2023-10-22",
    who="QEMU in git before 8.2",
    source="QEMU 1609476662, corrected by d4eb503808",
    as_of=qemu("8.2"),
    removed=((Channel.MAIN, 42), (Channel.MAIN, 43)),
    removed_bits=(18, 19),
    bits=(Bit(17, "SHARED_OBJECT"),),
)

SHMEM_MESSAGES = tuple(upstream_row(Channel.BACKEND, number) for number in (9, 10))
"""SHMEM_MAP and SHMEM_UNMAP, which drafts had long before upstream, in the upstream form."""

SHMEM_CONFIG_COUNTED = Layout(
    "shared_memory_configuration.draft",
    SHMEM_CONFIG.fields,
    Array("sizes", REGION_SIZE),
    note="before the number of sizes was fixed to 256",
)
_MEMORY_ACCESS = Layout(
    "memory_access:data",
    (u64("guest_addr", Meaning.GUEST_ADDRESS), u32("size", Meaning.SIZE)),
    tail=Tail(raw("data", 0)),
)


def _memory_access(number: int, name: str, summary: str) -> Row:
    return Row(
        Channel.BACKEND,
        number,
        name,
        summary,
        (_MEMORY_ACCESS,),
        gate=Gate(protocol=("BACKEND_REQ", "SHMEM")),
        since=Since("draft of", "2025-02"),
        source=_DRAFTS,
    )


SHMEM_BIT20 = Dialect(
    key="shmem-bit20",
    title="SHMEM as feature 20",
    when="2024-10 to 2026-01",
    who="QEMU drafts, rust-vmm vhost before 0.16",
    source=_DRAFTS,
    note="The first drafts had SHMEM_MAP and SHMEM_UNMAP without a feature.",
    as_of=qemu("10.2"),
    bits=(Bit(20, "SHMEM"),),
    rows=(
        *SHMEM_MESSAGES,
        replace(upstream_row(Channel.MAIN, 44), reply=(SHMEM_CONFIG, SHMEM_CONFIG_COUNTED), source=_DRAFTS),
        _memory_access(11, "MEM_READ", "Asks for memory that the back-end cannot map."),
        _memory_access(12, "MEM_WRITE", "Writes memory that the back-end cannot map."),
    ),
)

SHMEM_BIT21 = Dialect(
    key="shmem-bit21",
    title="SHMEM as feature 21",
    when="2026-03 to 2026-05",
    who="rust-vmm vhost 0.16, Cloud Hypervisor 53",
    source="rust-vmm vhost crate 0.16.0; feature 22 since 0.17",
    note="21 became GPA_ADDRESSES.",
    as_of=qemu("11.0"),
    bits=(Bit(21, "SHMEM"),),
    rows=(upstream_row(Channel.MAIN, 44), *SHMEM_MESSAGES),
)

DIALECTS = (SHOBJ_BIT17, SHMEM_BIT20, SHMEM_BIT21)
