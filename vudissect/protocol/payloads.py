"""Payload layouts of the main and the back-end channel (those of the GPU channel are in `gpu`, of crypto in `crypto`).

Source, unless a layout names another: QEMU docs/interop/vhost-user.rst, "Communication" and the message descriptions.
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

VIRTIO_FEATURES_WORD = Layout("virtio_features", (u64("features", Meaning.VIRTIO_FEATURES),))
PROTOCOL_FEATURES_WORD = Layout("protocol_features", (u64("features", bits=PROTOCOL_FEATURES),))
STATUS = Layout("device_status", (u64("status", bits=STATUS_BITS),))

# Bits 0-7 are the index of a ring, bit 8 means that no descriptor comes with it.
_RING_PARTS = (
    BitField("index", 0, 8, Meaning.RING),
    BitField("nofd", 8, 1),
    BitField("reserved", 9, 55, Meaning.PADDING),
)
VRING_FD = Layout("vring_descriptor", (u64("value", parts=_RING_PARTS),))
VRING_STATE = Layout("vring_state", (u32("index", Meaning.RING), u32("num")))
VRING_BASE = Layout("vring_state:base", (u32("index", Meaning.RING), u32("num", Meaning.RING_BASE)))
VRING_ENABLE = Layout(
    "vring_state:enable", (u32("index", Meaning.RING), u32("num", choices={0: "disable", 1: "enable"}))
)
VRING_ENDIAN = Layout("vring_state:endian", (u32("index", Meaning.RING), u32("num", choices={0: "little", 1: "big"})))
VRING_ADDR = Layout(
    "vring_address",
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
    "vring_area",
    (u64("value", parts=_RING_PARTS), u64("size", Meaning.SIZE), u64("offset", Meaning.OFFSET)),
)

REGION = Layout(
    "memory_region",
    (
        u64("guest_addr", Meaning.GUEST_ADDRESS),
        u64("size", Meaning.SIZE),
        u64("user_addr", Meaning.USER_ADDRESS),
        u64("mmap_offset", Meaning.OFFSET),
    ),
)
REGION_XEN = Layout(
    "memory_region.xen",
    (*REGION.fields, u32("xen_mmap_flags", bits=XEN_MMAP_FLAGS), u32("domid")),
    note="with XEN_MMAP",
    title="memory region (Xen)",
)

_MEM_TABLE_HEAD = (u32("nregions", Meaning.COUNT), pad(4))
MEM_TABLE = Layout("memory_table", _MEM_TABLE_HEAD, Array("regions", REGION, "nregions"))
MEM_TABLE_XEN = Layout(
    "memory_table.xen",
    _MEM_TABLE_HEAD,
    Array("regions", REGION_XEN, "nregions"),
    note="with XEN_MMAP",
    title="memory table (Xen)",
)
MEM_TABLE_TWO = Layout(
    "memory_table.two_slots",
    _MEM_TABLE_HEAD,
    Array("regions", REGION, 2),
    deviation="User-mode Linux always sends two slots, whatever nregions says",
)
MEM_TABLE_EIGHT = Layout(
    "memory_table.eight_slots",
    _MEM_TABLE_HEAD,
    Array("regions", REGION, 8),
    deviation="the whole C struct was sent, whatever nregions says",
)

MEM_REG = Layout("memory_region_description", (pad(8), *REGION.fields))
MEM_REG_XEN = Layout(
    "memory_region_description.xen",
    (pad(8), *REGION_XEN.fields),
    note="with XEN_MMAP",
    title="memory region description (Xen)",
)
MEM_REG_SHORT = Layout(
    "memory_region_description.short",
    (pad(4), *REGION.fields),
    deviation="QEMU 5.1 sent 4 bytes less than the layout (fixed by QEMU 3009edff81)",
)
MEM_REG_CONSUMED = Layout(
    "all_regions_consumed", (u64("value"),), bare=True, note="ends the postcopy exchange; the value is 0"
)

LOG_ADDRESS = Layout("log_address", (u64("log_addr", Meaning.GUEST_ADDRESS),), bare=True, note="without LOG_SHMFD")
LOG = Layout("log_area", (u64("mmap_size", Meaning.SIZE), u64("mmap_offset", Meaning.OFFSET)))
LOG_REPLY_VALUE = Layout(
    "u64:log", (u64("value", Meaning.LEFTOVER),), note="libvhost-user and VPP; the value has no meaning"
)

IOTLB_MISS = 1
IOTLB_UPDATE = 2
IOTLB_INVALIDATE = 3
IOTLB = Layout(
    "iotlb",
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
                IOTLB_INVALIDATE: "INVALIDATE",
                4: "ACCESS_FAIL",
                5: "BATCH_BEGIN",
                6: "BATCH_END",
            },
        ),
        pad(6),
    ),
    title="IOTLB",
)

# The room that QEMU, libvhost-user and DPDK have.
CONFIG_MOST = 256
WRITABLE = "writable"
LIVE_MIGRATION = "live migration"
CONFIG = Layout(
    "device_configuration_space",
    (
        u32("offset", Meaning.OFFSET),
        u32("size", Meaning.SIZE),
        u32("flags", choices={0: WRITABLE, 1: LIVE_MIGRATION}),
    ),
    tail=Tail(raw("contents", 0, Meaning.CONFIG), ("size",)),
)
CONFIG_ERROR = Layout("none:config", note="the back-end could not answer")

QUEUE_NUM = Layout("u64:queues", (u64("queues", note="virtqueues; queue pairs for a network device"),))
MEM_SLOTS = Layout("u64:slots", (u64("slots"),))
MTU = Layout("u64:mtu", (u64("mtu", Meaning.SIZE),))
MAC = Layout("mac_address", (raw("mac", 6, Meaning.MAC), pad(2)), title="MAC address")
RESULT = Layout("u64:result", (u64("result", Meaning.STATUS_CODE),))

INFLIGHT = Layout(
    "inflight_description",
    (
        u64("mmap_size", Meaning.SIZE),
        u64("mmap_offset", Meaning.OFFSET),
        u16("num_queues"),
        u16("queue_size"),
        pad(4),
    ),
)

UUID = Layout("uuid", (raw("uuid", 16, Meaning.UUID),), title="UUID")
UUID_MISSING = Layout("none:uuid", deviation="QEMU announces 0 bytes and so does not transmit the UUID")

DEVICE_STATE = Layout(
    "device_state_transfer",
    (u32("direction", choices={0: "save", 1: "load"}), u32("phase", choices={0: "stopped"})),
)
DEVICE_STATE_REPLY = Layout(
    "device_state_transfer_reply",
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
    "shared_memory_mapping",
    (
        u8("shmid"),
        pad(7),
        u64("fd_offset", Meaning.OFFSET),
        u64("shm_offset", Meaning.OFFSET),
        u64("len", Meaning.SIZE),
        u64("flags", bits=SHMEM_FLAGS),
    ),
)
REGION_SIZE = Layout("region_size", (u64("size", Meaning.SIZE),))
SHMEM_CONFIG = Layout(
    "shared_memory_configuration",
    (u32("nregions", note="regions whose size is not zero"), pad(4)),
    Array("sizes", REGION_SIZE, 256),
)
