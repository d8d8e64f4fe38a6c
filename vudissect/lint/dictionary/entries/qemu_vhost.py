"""Lines of what QEMU has in common for all vhost devices: rings, memory slots, features."""

from functools import partial

from vudissect.lint.dictionary.entry import Fate, LogLine, Suspect
from vudissect.lint.dictionary.program import Program
from vudissect.protocol.purpose import Purpose

_line = partial(LogLine, Program.QEMU, "QEMU hw/virtio/vhost.c")
_device = partial(LogLine, Program.QEMU, "QEMU hw/virtio/virtio.c")

LINES = (
    _line(
        ("vhost VQ {ring} ring restore failed: {errno}",),
        "The back-end did not report where it stopped this ring, so QEMU reads the position from the ring itself. "
        "Mostly a "
        "consequence: the back-end is gone, or refused. Requests in flight may be lost.",
        Suspect.BACK_END,
        "whether the back-end exited or crashed just before; its log",
        ("VU-RPL-08", "VU-RPL-03", "VU-TIM-02"),
        (Purpose.STOP_RING,),
        Fate.CLOSED,
    ),
    _line(
        ("vhost_{message} failed {errno}", "vhost_{message} failed: {any} ({errno})", "vhost_{message} failed"),
        "This request failed. Where several of these come together the connection is lost, and each is a consequence; "
        "alone, the "
        "back-end refused it.",
        Suspect.BACK_END,
        "the first line of its kind, and the log of the back-end",
        ("VU-RPL-08", "VU-RPL-05", "VU-TIM-02"),
        fate=Fate.CLOSED,
    ),
    _line(
        ("vhost_backend_init failed",),
        "The first exchange with the back-end failed: it closed the connection, or refused or did not understand one "
        "of the "
        "first requests.",
        Suspect.BACK_END,
        "the log of the back-end; whether something else listens on this socket; versions of both",
        ("VU-RPL-08", "VU-NEG-03"),
        (Purpose.OFFER_FEATURES, Purpose.OFFER_PROTOCOL_FEATURES, Purpose.COUNT_QUEUES, Purpose.OPEN_CHANNEL),
        Fate.CLOSED,
    ),
    _line(
        ("vhost_dev_init failed", "vhost initialization failed", "vhost-user initialization failed"),
        "The device could not be set up with its back-end: the connection failed, or one of the first requests did.",
        Suspect.BACK_END,
        "the lines before it, the log of the back-end, and the number of queues on both sides",
        ("VU-RPL-08", "VU-NEG-03", "VU-VRG-01"),
        (Purpose.OFFER_FEATURES, Purpose.OFFER_PROTOCOL_FEATURES, Purpose.COUNT_QUEUES),
        Fate.CLOSED,
    ),
    _line(
        ("vhost_dev_start failed", "vhost_dev_prepare_inflight failed", "vhost_dev_stop failed"),
        "The rings could not be started or stopped with the back-end.",
        Suspect.BACK_END,
        "the lines before it name the request",
        ("VU-RPL-08", "VU-INF-01"),
        (Purpose.REPLACE_MEMORY, Purpose.SET_KICK, Purpose.OFFER_INFLIGHT),
        Fate.CLOSED,
    ),
    _line(
        ("vhost backend memory slots limit",),
        "The guest has more memory regions than the back-end has slots for. QEMU also reports this, misleadingly, "
        "for a "
        "back-end that "
        "does not offer PROTOCOL_FEATURES.",
        Suspect.SETTINGS,
        "whether the back-end offers PROTOCOL_FEATURES and CONFIGURE_MEM_SLOTS; fewer memory devices",
        ("VU-MEM-06", "VU-NEG-03"),
        (Purpose.OFFER_FEATURES, Purpose.COUNT_MEMORY_SLOTS),
    ),
    _line(
        (
            "a used vhost backend has no free memory slots left",
            "this vhost backend would further restricts the overall number of memory slots",
        ),
        "No more memory can be plugged in: the back-end has no free slot.",
        Suspect.SETTINGS,
        "how many slots the back-end reports; plug the back-end before virtio-mem",
        ("VU-MEM-06",),
        (Purpose.COUNT_MEMORY_SLOTS, Purpose.ADD_MEMORY),
    ),
    _line(
        ("prior to previous {any} {n}", "Overlapping but not coherent sections"),
        "QEMU could not join neighbouring sections of guest memory for the back-end, which needs whole pages of the "
        "file.",
        Suspect.FRONT_END,
        "the QEMU version, and huge pages together with a device that maps small pieces",
        ("VU-MEM-02", "VU-MEM-04"),
        (Purpose.REPLACE_MEMORY,),
    ),
    _line(
        ("Verify ring failure on region", "Unable to map {word} for ring {ring}", "{word} relocated for ring {ring}"),
        "A ring that is in use is no longer in the guest's memory as QEMU sends it to the back-end.",
        Suspect.GUEST,
        "what happened to memory while rings ran: hot-unplug, a BAR that moved",
        ("VU-MEM-05", "VU-VRG-05"),
        (Purpose.SET_RING_ADDRESSES, Purpose.REPLACE_MEMORY),
    ),
    _line(
        (
            "Fail to update device iotlb",
            "Fail to invalidate device iotlb",
            "Fail to lookup the translated address",
            "Unexpected IOTLB message",
            "Unknown vhost iotlb message type",
            "Wrong vhost message len",
            "Access failure IOTLB message type not supported",
        ),
        "A translation of the virtual IOMMU could not be given to the back-end, or it asked for an address that the "
        "guest never mapped.",
        Suspect.EITHER,
        "the misses and updates around it; an address of 0 means a ring that is not set up",
        ("VU-IOT-01", "VU-IOT-02", "VU-IOT-03", "VU-IOT-05"),
        (Purpose.UPDATE_IOTLB,),
    ),
    _line(
        (
            "binding does not support {word} notifiers",
            "Error enabling host notifiers",
            "Error binding guest notifier",
            "notifier binding failed",
            "notifier cleanup",
            "guest notifier cleanup failed",
            "Error inject irq for vq",
        ),
        "QEMU could not connect the ring's eventfds to KVM. The back-end has no part in it.",
        Suspect.SETTINGS,
        "whether KVM is in use, vectors= and the number of queues, ulimit -n",
        (),
        (Purpose.SET_CALL, Purpose.SET_KICK),
    ),
    _line(
        ("Failed to initialize virtqueue {ring}", "Failed to set busyloop timeout", "event_notifier_init failed"),
        "QEMU ran out of eventfds, or the back-end did not accept what was sent for this ring.",
        Suspect.SETTINGS,
        "ulimit -n of QEMU; the lines before it",
        (),
        (Purpose.SET_CALL,),
    ),
    _line(
        ("vhost vring error in virtqueue {ring}",),
        "The back-end reports an error of this ring by its err descriptor.",
        Suspect.BACK_END,
        "the log of the back-end: mostly an address or a descriptor of the ring that it cannot use",
        ("VU-MEM-05", "VU-VRG-05"),
        (Purpose.SET_ERR, Purpose.SET_RING_ADDRESSES),
    ),
    _line(
        ("vhost lacks feature mask",),
        "QEMU or the guest needs virtio features that the back-end does not offer; the device is not started.",
        Suspect.BACK_END,
        "the mask on this line: which bits, and whether the back-end can switch them on; after a migration the other "
        "host's back-end offered more",
        ("VU-NEG-01",),
        (Purpose.OFFER_FEATURES, Purpose.ACK_FEATURES),
    ),
    _line(
        ("vhost lacks VHOST_F_LOG_ALL feature", "Migration disabled: failed to allocate shared memory"),
        "The VM cannot be migrated live: the back-end does not offer LOG_ALL, or there is no memory for the log.",
        Suspect.BACK_END,
        "what the back-end offers; DPDK switches it off in async copy mode",
        ("VU-VRG-16", "VU-LOG-01"),
        (Purpose.OFFER_FEATURES,),
    ),
    _line(
        ("unable to start vhost net: {errno}", "falling back on userspace virtio"),
        "The rings could not be started with the back-end. There is no fallback for vhost-user: the guest's packets "
        "go nowhere.",
        Suspect.BACK_END,
        "the lines before it: features, memory, or a lost connection",
        ("VU-RPL-08", "VU-MEM-01", "VU-NEG-01"),
        (Purpose.ACK_FEATURES, Purpose.REPLACE_MEMORY),
        Fate.CLOSED,
    ),
    _line(
        ("failed to init vhost_net for queue", "failed to init vhost_crypto for queue"),
        "The connection of this queue pair could not be set up.",
        Suspect.BACK_END,
        "the lines before it, and whether the back-end offers MQ",
        ("VU-RPL-08", "VU-VRG-01"),
        (Purpose.OFFER_FEATURES, Purpose.COUNT_QUEUES),
        Fate.CLOSED,
    ),
    _line(
        ("Vhost user backend fails to broadcast fake RARP",),
        "After a migration the guest's new place in the network is not announced: the back-end does not offer RARP, "
        "and the guest "
        "not GUEST_ANNOUNCE.",
        Suspect.BACK_END,
        "the first packet of the guest repairs it",
        (),
        (Purpose.OFFER_PROTOCOL_FEATURES,),
    ),
    _line(
        ("Bytes MTU not supported by the backend", "vhost_net_set_mtu"),
        "host_mtu= is larger than the back-end accepts.",
        Suspect.SETTINGS,
        "host_mtu= in QEMU, mtu_request in Open vSwitch",
        ("VU-RPL-05",),
        fate=Fate.REFUSED,
    ),
    _device(
        (
            "VQ {ring} size {n} < last_avail_idx {n} - used_idx {n}",
            "VQ {ring} size {n} Guest index {n} inconsistent with Host index {n}",
            "VQ {ring} address 0x0 inconsistent with Host index",
            "virtio: bogus descriptor or out of resources",
            "Guest moved used index from {n} to {n}",
        ),
        "The position of a ring does not fit its contents. After a migration or reconnect: the back-end reported a "
        "wrong position "
        "when the ring was stopped, or went on using the ring.",
        Suspect.BACK_END,
        "what the back-end answered when the ring was stopped last, and whether memory was dirtied without being "
        "logged",
        ("VU-VRG-07", "VU-VRG-11", "VU-LOG-03"),
        (Purpose.STOP_RING, Purpose.SET_RING_BASE),
    ),
    _device(
        (
            "Virtqueue size exceeded",
            "Looped descriptor",
            "Guest says index {n} is available",
            "Desc next is {n}",
            "virtio: zero sized buffers are not allowed",
            "virtio: invalid address for buffers",
            "Incorrect order for descriptors",
        ),
        "A descriptor in a ring is not valid: the driver is wrong, or the ring is read at a wrong address or position.",
        Suspect.GUEST,
        "addresses and size of the ring, and whether memory regions were replaced while it ran",
        ("VU-MEM-05", "VU-VRG-05"),
        (Purpose.SET_RING_ADDRESSES, Purpose.REPLACE_MEMORY),
        named=True,
    ),
    _device(
        (
            "Failed to load virtio-{word}:",
            "Failed to load vhost-{word}:",
            "Features {n} unsupported. Allowed features: {n}",
        ),
        "The destination of a migration cannot take over the device: its back-end offers fewer features than the "
        "guest has acknowledged.",
        Suspect.SETTINGS,
        "the same back-end, version and options on both hosts",
        ("VU-NEG-01",),
        (Purpose.OFFER_FEATURES, Purpose.ACK_FEATURES),
    ),
    _line(
        ("vhost does not support cross-endian", "Unknown vhost backend type", "ignoring invalid max_mem_regions value"),
        "QEMU does not support this combination of guest, host and back-end.",
        Suspect.SETTINGS,
        "a legacy device in a guest of the other byte order needs VERSION_1",
        ("VU-HDR-13",),
    ),
    _line(
        ("hw/virtio/vhost{any}Assertion `", "vhost_dev_{word} Assertion `", "vhost_user_{word} Assertion `"),
        "QEMU aborts: usually the back-end closed the connection at a moment when QEMU did not expect it, such as "
        "while the device was set up or "
        "stopped.",
        Suspect.FRONT_END,
        "the QEMU version and its fixes since; what the back-end did just before",
        ("VU-RPL-08", "VU-TIM-02"),
        fate=Fate.CLOSED,
    ),
    _line(
        (
            "unable to map backing store for guest RAM",
            "Insufficient free host memory pages available to allocate guest RAM",
            "can't open backing store",
        ),
        "The guest's memory cannot be allocated: too few huge pages, or no right to the mount. Nothing was sent to a "
        "back-end yet.",
        Suspect.SETTINGS,
        "free huge pages on each NUMA node; owner of the mount",
    ),
)
