"""Payload layouts of the main and the back-end channel (the GPU channel's stand in `gpu`, crypto's in `crypto`).

Source, where nothing else is said: QEMU docs/interop/vhost-user.rst, "Communication" and the message descriptions.
"""

from vudissect.protocol.features import (
    PROTOCOL_FEATURES,
    SHMEM_FLAGS,
    STATUS_BITS,
    VRING_FLAGS,
    XEN_MMAP_FLAGS,
)
from vudissect.protocol.fields import pad, raw, u8, u16, u32, u64
from vudissect.protocol.model import Array, BitField, Layout, Meaning, Tail

EMPTY = Layout("none")
NOTHING = (EMPTY,)

ACK = Layout("ack", (u64("result", Meaning.STATUS_CODE),))

VIRTIO_FEATURES_WORD = Layout("virtio features", (u64("features", Meaning.VIRTIO_FEATURES),))
PROTOCOL_FEATURES_WORD = Layout("protocol features", (u64("features", bits=PROTOCOL_FEATURES),))
STATUS = Layout("device status", (u64("status", bits=STATUS_BITS),))

# Bits 0-7 index a ring, bit 8 says that no descriptor comes along.
_RING_PARTS = (
    BitField("index", 0, 8, Meaning.RING),
    BitField("nofd", 8, 1),
    BitField("reserved", 9, 55, Meaning.PADDING),
)
VRING_FD = Layout("vring descriptor", (u64("value", parts=_RING_PARTS),))
VRING_STATE = Layout("vring state", (u32("index", Meaning.RING), u32("num")))
VRING_BASE = Layout("vring state", (u32("index", Meaning.RING), u32("num", Meaning.RING_BASE)))
VRING_ENABLE = Layout("vring state", (u32("index", Meaning.RING), u32("num", choices={0: "disable", 1: "enable"})))
VRING_ENDIAN = Layout("vring state", (u32("index", Meaning.RING), u32("num", choices={0: "little", 1: "big"})))
VRING_ADDR = Layout(
    "vring address",
    (
        u32("index", Meaning.RING),
        u32("flags", bits=VRING_FLAGS),
        u64("desc", Meaning.RING_ADDRESS),
        u64("used", Meaning.RING_ADDRESS),
        u64("avail", Meaning.RING_ADDRESS),
        u64("log", Meaning.GUEST_ADDRESS),
    ),
)
VRING_AREA = Layout(
    "vring area",
    (u64("value", parts=_RING_PARTS), u64("size", Meaning.SIZE), u64("offset", Meaning.OFFSET)),
)

REGION = Layout(
    "memory region",
    (
        u64("guest_addr", Meaning.GUEST_ADDRESS),
        u64("size", Meaning.SIZE),
        u64("user_addr", Meaning.USER_ADDRESS),
        u64("mmap_offset", Meaning.OFFSET),
    ),
)
REGION_XEN = Layout(
    "memory region (Xen)",
    (*REGION.fields, u32("xen_mmap_flags", bits=XEN_MMAP_FLAGS), u32("domid")),
    note="with XEN_MMAP",
)

_MEM_TABLE_HEAD = (u32("nregions", Meaning.COUNT), pad(4))
MEM_TABLE = Layout("memory table", _MEM_TABLE_HEAD, Array("regions", REGION, "nregions"))
MEM_TABLE_XEN = Layout(
    "memory table (Xen)", _MEM_TABLE_HEAD, Array("regions", REGION_XEN, "nregions"), note="with XEN_MMAP"
)
MEM_TABLE_TWO = Layout(
    "memory table (two slots)",
    _MEM_TABLE_HEAD,
    Array("regions", REGION, 2),
    deviation="User-mode Linux always sends two slots, whatever nregions says",
)
MEM_TABLE_EIGHT = Layout(
    "memory table (eight slots)",
    _MEM_TABLE_HEAD,
    Array("regions", REGION, 8),
    deviation="the whole C struct was sent, whatever nregions says",
)

MEM_REG = Layout("memory region description", (pad(8), *REGION.fields))
MEM_REG_XEN = Layout("memory region description (Xen)", (pad(8), *REGION_XEN.fields), note="with XEN_MMAP")
MEM_REG_SHORT = Layout(
    "memory region description (short)",
    (pad(4), *REGION.fields),
    deviation="QEMU 5.1 sent 4 bytes less than the layout (fixed by QEMU 3009edff81)",
)
MEM_REG_CONSUMED = Layout(
    "all regions consumed", (u64("value"),), bare=True, note="ends the postcopy exchange; the value is 0"
)

LOG_ADDRESS = Layout("log address", (u64("log_addr", Meaning.GUEST_ADDRESS),), bare=True, note="without LOG_SHMFD")
LOG = Layout("log area", (u64("mmap_size", Meaning.SIZE), u64("mmap_offset", Meaning.OFFSET)))
LOG_REPLY_VALUE = Layout(
    "u64", (u64("value", Meaning.LEFTOVER),), note="libvhost-user and VPP; the value means nothing"
)

IOTLB_MISS = 1
IOTLB_UPDATE = 2
IOTLB = Layout(
    "IOTLB",
    (
        u64("iova", Meaning.IOVA),
        u64("size", Meaning.SIZE),
        u64("user_addr", Meaning.USER_ADDRESS),
        u8("perm", choices={0: "none", 1: "RO", 2: "WO", 3: "RW"}),
        u8(
            "type",
            Meaning.KIND,
            choices={
                IOTLB_MISS: "MISS",
                IOTLB_UPDATE: "UPDATE",
                3: "INVALIDATE",
                4: "ACCESS_FAIL",
                5: "BATCH_BEGIN",
                6: "BATCH_END",
            },
        ),
        pad(6),
    ),
)

# What QEMU, libvhost-user and DPDK have room for.
CONFIG_MOST = 256
WRITABLE = "writable"
LIVE_MIGRATION = "live migration"
CONFIG = Layout(
    "device configuration space",
    (
        u32("offset", Meaning.OFFSET),
        u32("size", Meaning.SIZE),
        u32("flags", choices={0: WRITABLE, 1: LIVE_MIGRATION}),
    ),
    tail=Tail(raw("contents", 0, Meaning.CONFIG), ("size",)),
)
CONFIG_ERROR = Layout("none", note="the back-end could not answer")

QUEUE_NUM = Layout("u64", (u64("queues", note="virtqueues; queue pairs for a network device"),))
MEM_SLOTS = Layout("u64", (u64("slots"),))
MTU = Layout("u64", (u64("mtu", Meaning.SIZE),))
MAC = Layout("MAC address", (raw("mac", 6, Meaning.MAC), pad(2)))
RESULT = Layout("u64", (u64("result", Meaning.STATUS_CODE),))

INFLIGHT = Layout(
    "inflight description",
    (
        u64("mmap_size", Meaning.SIZE),
        u64("mmap_offset", Meaning.OFFSET),
        u16("num_queues"),
        u16("queue_size"),
        pad(4),
    ),
)

UUID = Layout("UUID", (raw("uuid", 16, Meaning.UUID),))
UUID_MISSING = Layout("none", deviation="QEMU announces 0 bytes and so does not transmit the UUID")

DEVICE_STATE = Layout(
    "device state transfer",
    (u32("direction", choices={0: "save", 1: "load"}), u32("phase", choices={0: "stopped"})),
)
DEVICE_STATE_REPLY = Layout(
    "device state transfer reply",
    (
        u64(
            "value",
            parts=(
                BitField("error", 0, 8, Meaning.STATUS_CODE),
                BitField("nofd", 8, 1),
                BitField("reserved", 9, 55, Meaning.PADDING),
            ),
        ),
    ),
)

SHMEM_MAP = Layout(
    "shared memory mapping",
    (
        u8("shmid"),
        pad(7),
        u64("fd_offset", Meaning.OFFSET),
        u64("shm_offset", Meaning.OFFSET),
        u64("len", Meaning.SIZE),
        u64("flags", bits=SHMEM_FLAGS),
    ),
)
SHMEM_CONFIG = Layout(
    "shared memory configuration",
    (u32("nregions", note="regions whose size is not zero"), pad(4)),
    Array("sizes", Layout("region size", (u64("size", Meaning.SIZE),)), 256),
)
