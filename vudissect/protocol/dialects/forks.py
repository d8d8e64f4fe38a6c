"""The protocol as programs changed it for themselves: SPDK's NVMe, NVIDIA, User-mode Linux, rust-vmm and others."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from vudissect.protocol import payloads
from vudissect.protocol.bits import Bit
from vudissect.protocol.dialects.dialect import Dialect, upstream_row
from vudissect.protocol.dialects.early import MEM_TABLE_2014
from vudissect.protocol.dialects.shmem import SHMEM_CONFIG_COUNTED
from vudissect.protocol.fields import raw, u8, u16, u32, u64
from vudissect.protocol.model import Answer, Channel, Descriptors, FdKind, Gate, Layout, Meaning, Row, Tail
from vudissect.protocol.payloads import NOTHING
from vudissect.protocol.since import Since, qemu
from vudissect.protocol.table import UPSTREAM

_SPDK = "SPDK lib/vhost/rte_vhost/vhost_user.c"

_NVME_COMMAND = Layout(
    "nvme_command",
    (
        u8("opcode"),
        u8("flags", Meaning.HEX),
        u16("cid"),
        u32("nsid"),
        u64("reserved", Meaning.HEX),
        u64("mptr", Meaning.HEX),
        u64("prp1", Meaning.HEX),
        u64("prp2", Meaning.HEX),
        *(u32(f"cdw{number}", Meaning.HEX) for number in range(10, 16)),
    ),
    title="NVMe command",
)
_NVME_COMPLETION_FIELDS = (
    u32("cdw0", Meaning.HEX),
    u32("reserved", Meaning.HEX),
    u16("sqhd"),
    u16("sqid"),
    u16("cid"),
    u16("status", Meaning.HEX),
)
_NVME_COMPLETION = Layout("nvme_completion", _NVME_COMPLETION_FIELDS, title="NVMe completion")
_NVME_COMPLETION_WITH_DATA = Layout(
    "nvme_completion_with_data", (*_NVME_COMPLETION_FIELDS, raw("data", 4096)), title="NVMe completion with data"
)
_NVME_DOORBELL = Layout(
    "nvme_doorbell",
    (u32("queue_type", choices={1: "submission", 2: "completion"}), u32("qid"), u32("tail_head")),
    title="NVMe doorbell",
)


_NVME_CAP = Layout("u64:cap", (u64("cap", Meaning.HEX),))
_NVME_START = Layout("u64:start", (u64("start", choices={0: "stop", 1: "start"}),))


def _nvme(first: int, since: Since) -> tuple[Row, ...]:
    """The five messages of vhost-nvme, numbered from `first`."""

    def message(offset: int, name: str, summary: str, request: tuple[Layout, ...]) -> Row:
        return Row(Channel.MAIN, first + offset, name, summary, request, since=since, source=_SPDK)

    return (
        replace(
            message(0, "NVME_ADMIN", "Passes on a command of the admin queue.", (_NVME_COMMAND,)),
            answer=Answer.ALWAYS,
            reply=(_NVME_COMPLETION, _NVME_COMPLETION_WITH_DATA),
        ),
        replace(
            message(1, "NVME_SET_CQ_CALL", "Sets the eventfd of a completion queue.", (payloads.VRING_FD,)),
            fds=Descriptors(FdKind.EVENT, 0, 1, unless="nofd"),
        ),
        replace(
            message(2, "NVME_GET_CAP", "Asks for the capabilities of the controller.", NOTHING),
            answer=Answer.ALWAYS,
            reply=(_NVME_CAP,),
        ),
        message(
            3,
            "NVME_START_STOP",
            "Starts or stops the controller.",
            (_NVME_START,),
        ),
        message(4, "NVME_IO_CMD", "Rings a doorbell.", (_NVME_DOORBELL,)),
    )


SPDK_NVME_V1 = Dialect(
    key="spdk-nvme-v1",
    title="vhost-nvme",
    when="2018-04",
    who="SPDK 18.04 and its QEMU",
    source=_SPDK,
    as_of=qemu("2.12"),
    removed=((Channel.MAIN, 26),),
    rows=_nvme(27, Since("SPDK", "18.04")),
)


def _migration() -> Iterator[Row]:
    """Messages of a fork of SPDK that migrates a disk to another host."""
    bytes_of_fork = Layout("forks_own", tail=Tail(raw("contents", 0)), note="not documented", title="fork's own")
    rows = (
        (60, "GET_PENDING_NUM", "Asks for the number of requests in flight.", Answer.ALWAYS),
        (61, "SET_IO_DOWN", "Stops accepting requests.", Answer.ALWAYS),
        (62, "SET_IO_CLEANUP", "Cleans up.", Answer.ALWAYS),
        (63, "SET_IO_FINAL", "Ends the migration.", Answer.NEVER),
    )
    for number, name, summary, answer in rows:
        reply = (bytes_of_fork,) if answer is Answer.ALWAYS else ()
        yield Row(
            Channel.MAIN,
            number,
            name,
            summary,
            (bytes_of_fork,),
            answer,
            reply,
            since=Since("fork of SPDK"),
            source=_SPDK,
        )


SPDK_NVME_V2 = Dialect(
    key="spdk-nvme-v2",
    title="vhost-nvme renumbered",
    when="2018-04 to 2020",
    who="SPDK, and a fork that migrates disks",
    source=f"{_SPDK}, c2b66a83bc",
    note="Only the fork has GET_INFLIGHT_NUM (33) and 60 to 63. SPDK dropped vhost-nvme in 2020.",
    as_of=qemu("5.2"),
    rows=(
        *_nvme(80, Since("SPDK", "18.07")),
        Row(
            Channel.MAIN,
            33,
            "GET_INFLIGHT_NUM",
            "Asks for the number of requests in flight in a ring.",
            (payloads.VRING_STATE, payloads.EMPTY),
            Answer.ALWAYS,
            (payloads.VRING_STATE,),
            since=Since("fork of SPDK"),
            source=_SPDK,
        ),
        *_migration(),
    ),
)

_PRESETUP_SOURCE = "qemu-devel mailing list, 2023-09-18, Y. Wu: vhost-user: Add presetup protocol feature and op"

PRESETUP_RFC = Dialect(
    key="presetup-rfc",
    title="PRESETUP for migration",
    when="2023-09-18",
    who="Y. Wu (NVIDIA), draft",
    source=_PRESETUP_SOURCE,
    as_of=qemu("8.1"),
    bits=(Bit(18, "PRESETUP"),),
    rows=(
        Row(
            Channel.MAIN,
            41,
            "PRESETUP",
            "Announces the beginning or end of the early phase of setting up.",
            (Layout("u64:phase", (u64("phase", choices={1: "start", 2: "end"}),)),),
            gate=Gate(protocol=("PRESETUP",)),
            since=Since("draft of", "2023-09"),
            source=_PRESETUP_SOURCE,
        ),
    ),
)

VFE = Dialect(
    key="vfe",
    title="NVIDIA's vhost acceleration",
    when="since 2022",
    who="Mellanox/dpdk-vhost-vfe",
    source="github.com/Mellanox/dpdk-vhost-vfe, #123",
    note="Also has a feature EXTEND_STATUS, which adds one bit to SET_STATUS (notify ring 0): their numbers are "
    "not known, so they are shown as bits without a name.",
    base=PRESETUP_RFC,
)

FTL = Dialect(
    key="ftl",
    title="SET_STATUS as message 38",
    when="unknown",
    who="a hobby firmware (FTL)",
    source="that firmware only",
    as_of=qemu("11.1"),
    removed=((Channel.MAIN, 39),),
    rows=(replace(upstream_row(Channel.MAIN, 39), id=38, since=Since("that firmware")),),
)

_RUST_CONFIG = replace(
    payloads.CONFIG,
    key="device_configuration_space:rust",
    fields=tuple(
        replace(field, choices={0: "none", 1: payloads.WRITABLE, 2: payloads.LIVE_MIGRATION})
        if field.choices
        else field
        for field in payloads.CONFIG.fields
    ),
    note="flags as rust-vmm numbers them",
)

RUST_CFGFLAGS = Dialect(
    key="rust-cfgflags",
    title="SET_CONFIG flags from 1 up",
    when="since 2019",
    who="rust-vmm, Cloud Hypervisor, crosvm",
    source="rust-vmm vhost crate, VhostUserConfigFlags",
    note="1 is for writable fields and 2 for live migration, instead of 0 and 1.",
    living=True,
    rows=(
        replace(upstream_row(Channel.MAIN, 24), request=(_RUST_CONFIG,), reply=(_RUST_CONFIG, payloads.CONFIG_ERROR)),
        replace(upstream_row(Channel.MAIN, 25), request=(_RUST_CONFIG,)),
    ),
)

UML_PIPE = Dialect(
    key="uml-pipe",
    title="User-mode Linux",
    when="since 2019",
    who="Linux arch/um/drivers/virtio_uml.c",
    source="Linux arch/um/drivers/virtio_uml.c",
    note="A memory table always has two slots. What the source calls pipes are stream sockets.",
    living=True,
    rows=(
        replace(
            upstream_row(Channel.MAIN, 5),
            request=(replace(payloads.MEM_TABLE_TWO, key="memory_table.two_slots:uml", deviation=""),),
        ),
    ),
)


YANDEX_SKIP_DRAIN = Dialect(
    key="yandex-skip-drain",
    title="stop without draining, selected by a value",
    when="2026-04 to 2026-09",
    who="yc-libvhost-server and QEMU with its patches",
    source="yc-libvhost-server; qemu-devel mailing list, 2026: the draft used message 44",
    as_of=qemu("11.0"),
    never_detected=True,
    note="Upstream, but GET_VRING_BASE with 1 stops a ring without draining it, as GET_VRING_BASE_SKIP_DRAIN now does.",
    rows=(
        replace(
            upstream_row(Channel.MAIN, 11),
            request=(
                replace(
                    payloads.VRING_BASE,
                    key="vring_state:skip_drain",
                    fields=(payloads.VRING_BASE.fields[0], u32("num", choices={0: "drain", 1: "skip drain"})),
                ),
            ),
        ),
    ),
)


def _tolerant(row: Row) -> Row:
    """A row in which deviating forms are as good as the specified ones."""
    return replace(row, request=tuple(map(_accepted, row.request)), reply=tuple(map(_accepted, row.reply)))


@cache
def _accepted(layout: Layout) -> Layout:
    if not layout.deviation:
        return layout
    return replace(layout, key=f"{layout.key}:accepted", note=layout.deviation, deviation="")


_MEM_TABLES = upstream_row(Channel.MAIN, 5)

SIZE_VARIANTS = Dialect(
    key="size-variants",
    title="every size ever seen",
    when="at all times",
    who="several",
    source="QEMU, libvhost-user, DPDK, rust-vmm, SPDK, User-mode Linux",
    never_detected=True,
    living=True,
    note="Upstream, but forms that real programs send are as good as the specified ones.",
    rows=(
        *(
            _tolerant(row)
            for row in UPSTREAM.messages
            if row is not _MEM_TABLES and any(layout.deviation for layout in (*row.request, *row.reply))
        ),
        _tolerant(replace(_MEM_TABLES, request=(*_MEM_TABLES.request, MEM_TABLE_2014))),
        replace(upstream_row(Channel.MAIN, 18), request=(payloads.VRING_STATE,)),
        replace(upstream_row(Channel.MAIN, 44), reply=(payloads.SHMEM_CONFIG, SHMEM_CONFIG_COUNTED)),
    ),
)

DIALECTS = (
    SPDK_NVME_V1,
    SPDK_NVME_V2,
    PRESETUP_RFC,
    VFE,
    FTL,
    RUST_CFGFLAGS,
    UML_PIPE,
    YANDEX_SKIP_DRAIN,
    SIZE_VARIANTS,
)
