"""Feature bits that do not depend on the device type, and the small flag sets that payload fields use.

What drafts and forks use these numbers for is in the dialects; a device type's own bits are with the device.
"""

from vudissect.protocol.bits import Bit, BitSet
from vudissect.protocol.since import Since, qemu

_VHOST_USER = "QEMU docs/interop/vhost-user.rst"
_VIRTIO = "virtio specification, Reserved Feature Bits"

PROTOCOL_FEATURES = BitSet(
    "protocol features",
    (
        Bit(0, "MQ", since=qemu("2.5")),
        Bit(1, "LOG_SHMFD", since=qemu("2.5")),
        Bit(2, "RARP", since=qemu("2.5")),
        Bit(3, "REPLY_ACK", since=qemu("2.7"), note="DPDK before 2020 offers it only together with IOMMU support"),
        Bit(4, "MTU", ("NET_MTU",), since=qemu("2.9")),
        Bit(5, "BACKEND_REQ", ("SLAVE_REQ",), since=qemu("2.10")),
        Bit(6, "CROSS_ENDIAN", since=qemu("2.10")),
        Bit(7, "CRYPTO_SESSION", since=qemu("2.12"), note="DPDK offers it for network devices too"),
        Bit(8, "PAGEFAULT", since=qemu("2.12")),
        Bit(9, "CONFIG", since=qemu("2.12")),
        Bit(10, "BACKEND_SEND_FD", ("SLAVE_SEND_FD",), since=qemu("3.0")),
        Bit(11, "HOST_NOTIFIER", since=qemu("3.0")),
        Bit(12, "INFLIGHT_SHMFD", since=qemu("4.0")),
        Bit(13, "RESET_DEVICE", since=qemu("5.0")),
        Bit(
            14,
            "INBAND_NOTIFICATIONS",
            since=qemu("5.0"),
            note="QEMU acknowledges it but keeps kicking through eventfds",
        ),
        Bit(15, "CONFIGURE_MEM_SLOTS", since=qemu("5.1")),
        Bit(16, "STATUS", since=qemu("5.1"), note="specified in 5.1, used by QEMU since 7.2"),
        Bit(17, "XEN_MMAP", since=qemu("8.1"), note="QEMU acknowledges it but sends memory regions without Xen fields"),
        Bit(18, "SHARED_OBJECT", since=qemu("8.2")),
        Bit(19, "DEVICE_STATE", since=qemu("8.2")),
        Bit(
            20,
            "GET_VRING_BASE_INFLIGHT",
            since=qemu("11.0"),
            note="QEMU acknowledges it only with INFLIGHT_SHMFD; drafts of SHMEM used this number",
        ),
        Bit(
            21,
            "GPA_ADDRESSES",
            since=qemu("11.1"),
            note="rust-vmm vhost 0.16 and crosvm in spring 2026 use this number for SHMEM",
        ),
        Bit(22, "SHMEM", ("SHMEM_MAP",), since=qemu("11.1")),
        Bit(
            23,
            "GET_VRING_BASE_SKIP_DRAIN",
            since=qemu("11.2", "c2f4030c42"),
            note="QEMU acknowledges it only with GET_VRING_BASE_INFLIGHT",
        ),
    ),
    source=f"{_VHOST_USER}, Protocol features",
)

VIRTIO_FEATURES = BitSet(
    "virtio features of every device type",
    (
        Bit(24, "NOTIFY_ON_EMPTY", note="legacy devices only"),
        Bit(26, "LOG_ALL", ("F_LOG_ALL",), note="vhost only: log every write to memory; the driver never sees it"),
        Bit(27, "ANY_LAYOUT", note="legacy devices only; for a kernel vhost-net device it means VIRTIO_NET_HDR"),
        Bit(28, "INDIRECT_DESC", ("RING_INDIRECT_DESC",)),
        Bit(29, "EVENT_IDX", ("RING_EVENT_IDX",)),
        Bit(
            30,
            "PROTOCOL_FEATURES",
            ("F_PROTOCOL_FEATURES",),
            since=qemu("2.5"),
            note="vhost-user only; the driver never sees it; legacy virtio had BAD_FEATURE here",
        ),
        Bit(32, "VERSION_1"),
        Bit(33, "ACCESS_PLATFORM", ("IOMMU_PLATFORM",)),
        Bit(34, "RING_PACKED"),
        Bit(35, "IN_ORDER"),
        Bit(36, "ORDER_PLATFORM"),
        Bit(37, "SR_IOV"),
        Bit(38, "NOTIFICATION_DATA"),
        Bit(39, "NOTIF_CONFIG_DATA"),
        Bit(40, "RING_RESET"),
        Bit(41, "ADMIN_VQ", note="older network devices had GUEST_RSC4 here (and GUEST_RSC6 at 42)"),
        Bit(43, "SUSPEND", since=Since("virtio", "1.4")),
    ),
    source=_VIRTIO,
)

# Masks of those that change what other messages mean.
F_LOG_ALL = VIRTIO_FEATURES.mask("LOG_ALL")
F_PROTOCOL_FEATURES = VIRTIO_FEATURES.mask("PROTOCOL_FEATURES")
F_VERSION_1 = VIRTIO_FEATURES.mask("VERSION_1")
F_ACCESS_PLATFORM = VIRTIO_FEATURES.mask("ACCESS_PLATFORM")
F_EVENT_IDX = VIRTIO_FEATURES.mask("EVENT_IDX")
F_IN_ORDER = VIRTIO_FEATURES.mask("IN_ORDER")
F_INDIRECT_DESC = VIRTIO_FEATURES.mask("INDIRECT_DESC")
F_RING_PACKED = VIRTIO_FEATURES.mask("RING_PACKED")

GPU_FEATURES = BitSet(
    "GPU protocol features",
    (Bit(0, "EDID", since=qemu("8.1")), Bit(1, "DMABUF2", since=qemu("8.2"))),
    source="QEMU docs/interop/vhost-user-gpu.rst",
)

STATUS_BITS = BitSet(
    "device status",
    (
        Bit(0, "ACKNOWLEDGE"),
        Bit(1, "DRIVER"),
        Bit(2, "DRIVER_OK"),
        Bit(3, "FEATURES_OK"),
        Bit(4, "SUSPEND", since=Since("virtio", "1.4")),
        Bit(6, "NEEDS_RESET", ("DEVICE_NEEDS_RESET",)),
        Bit(7, "FAILED"),
    ),
    source="virtio specification, Device Status Field",
)

VRING_FLAGS = BitSet(
    "ring flags",
    (Bit(0, "LOG", note="the log address is valid: writes to the used ring are logged"),),
    source=f"{_VHOST_USER}, A vring address description",
)

SHMEM_FLAGS = BitSet(
    "shared memory mapping flags",
    (Bit(0, "WRITABLE"),),
    source=_VHOST_USER,
)

XEN_MMAP_FLAGS = BitSet(
    "Xen mapping flags",
    (
        Bit(0, "FOREIGN", note="foreign mapping"),
        Bit(1, "GRANT", note="grant mapping"),
        Bit(8, "NO_ADVANCE_MAP", note="not mapped before it is needed"),
    ),
    source=f"{_VHOST_USER}, Memory region description",
)
