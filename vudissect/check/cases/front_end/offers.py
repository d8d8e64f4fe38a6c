"""What the back-end offers: features, queues, memory slots, configuration space."""

from vudissect.check.cases.front_end.meanings import HARMLESS, NOTICED, NOTICED_BY_CUSTOM, SURVIVED, TOLERATED
from vudissect.check.model import Case

_OPTIONAL = "Feature negotiation: a feature that is not offered is not used"
_QUEUES = "VHOST_USER_GET_QUEUE_NUM; no text on unlikely numbers"
_SLOTS = "VHOST_USER_GET_MAX_MEM_SLOTS; no text on unlikely numbers"
_CONFIG = "VHOST_USER_GET_CONFIG: the payload of the answer has the size of the request, zero length is an error"

CASES = (
    Case(
        "F-11",
        "all 64 feature bits are offered",
        "The front-end acknowledges none that has no meaning. It goes on, or gives up.",
        "virtio specification, Feature Bits: the driver must not accept what it does not understand",
        """
        ? * offer all feature bits
        * as far as it comes
        * what it does not know is not acknowledged
        """,
        rules=("VU-NEG-01",),
        meanings=TOLERATED,
    ),
    Case(
        "F-12",
        "bit 30 is not offered: the back-end has no protocol features",
        "The front-end does without them, or says that it cannot.",
        "Feature negotiation: VHOST_USER_F_PROTOCOL_FEATURES",
        """
        ? * offer without PROTOCOL_FEATURES
        * as far as it comes
        * it does not break VU-NEG-03
        """,
        rules=("VU-NEG-03",),
        meanings=TOLERATED,
    ),
    Case(
        "F-13",
        "CONFIG is not offered",
        "The front-end does without a configuration space, or says that it cannot.",
        _OPTIONAL,
        """
        ? * offer without CONFIG
        * as far as it comes
        * it does not break VU-CFG-01
        """,
        rules=("VU-CFG-01",),
        meanings=TOLERATED,
    ),
    Case(
        "F-14",
        "GET_QUEUE_NUM is answered with 0",
        "The front-end gives up, or uses one queue.",
        _QUEUES,
        """
        ? * offer 0 queues
        F>B GET_QUEUE_NUM
        """,
        rules=("VU-VRG-01",),
        meanings=NOTICED_BY_CUSTOM,
        needs=("MQ",),
    ),
    Case(
        "F-15",
        "GET_MAX_MEM_SLOTS is answered with 0",
        "The front-end gives up, at the latest when it has to add memory.",
        _SLOTS,
        """
        ? * offer 0 memory slots
        F>B GET_MAX_MEM_SLOTS
        """,
        rules=("VU-MEM-06",),
        meanings=NOTICED_BY_CUSTOM,
        needs=("CONFIGURE_MEM_SLOTS",),
    ),
    Case(
        "F-16",
        "GET_CONFIG is answered with size 0: an error",
        "The front-end gives up.",
        _CONFIG,
        """
        F>B GET_CONFIG
        ? * answer with 0 bytes
        """,
        rules=("VU-CFG-02",),
        meanings=NOTICED_BY_CUSTOM,
        ours=("VU-CFG-02",),
    ),
    Case(
        "F-17",
        "GET_CONFIG is answered with 12 bytes: no contents",
        "The front-end gives up.",
        _CONFIG,
        """
        F>B GET_CONFIG
        ? * answer with 12 bytes
        """,
        rules=("VU-CFG-02",),
        meanings=NOTICED,
        ours=("VU-RPL-06",),
    ),
    Case(
        "F-18",
        "GET_CONFIG is answered with 8 bytes too many",
        "The front-end gives up.",
        _CONFIG,
        """
        F>B GET_CONFIG
        ? * answer with 8 bytes more
        """,
        rules=("VU-CFG-02",),
        meanings=NOTICED_BY_CUSTOM,
        ours=("VU-RPL-06",),
    ),
    Case(
        "F-19",
        "the disk has a capacity of 0",
        "The front-end goes on: such disks exist, and may grow later.",
        "no text: virtio specification, Block Device, has no smallest capacity",
        """
        ? * offer a capacity of 0
        """,
        rules=("VU-CFG-09",),
        meanings=SURVIVED,
        device="blk",
        ours_perhaps=("VU-CFG-09",),
    ),
    Case(
        "F-36",
        "GET_QUEUE_NUM is answered with 65535",
        "The front-end uses as many as it wants.",
        _QUEUES,
        """
        ? * offer 65535 queues
        """,
        rules=("VU-VRG-01",),
        meanings=TOLERATED,
        needs=("MQ",),
    ),
    Case(
        "F-37",
        "GET_VRING_BASE_SKIP_DRAIN is offered without GET_VRING_BASE_INFLIGHT",
        "The front-end does not acknowledge it: it needs the other one.",
        "VHOST_USER_GET_VRING_BASE_SKIP_DRAIN: requires VHOST_USER_PROTOCOL_F_GET_VRING_BASE_INFLIGHT",
        """
        ? * offer also GET_VRING_BASE_SKIP_DRAIN without GET_VRING_BASE_INFLIGHT
        * as far as it comes
        * GET_VRING_BASE_SKIP_DRAIN is not acknowledged
        """,
        rules=("VU-NEG-10",),
        meanings=HARMLESS,
    ),
    Case(
        "F-38",
        "GET_MAX_MEM_SLOTS is answered with 2^64 - 1",
        "The front-end uses as many as it needs.",
        _SLOTS,
        """
        ? * offer 18446744073709551615 memory slots
        """,
        rules=("VU-MEM-06",),
        meanings=TOLERATED,
        needs=("CONFIGURE_MEM_SLOTS",),
    ),
    Case(
        "F-46",
        "all 64 protocol feature bits are offered",
        "The front-end acknowledges none that has no meaning, and none that it does not implement.",
        "VHOST_USER_SET_PROTOCOL_FEATURES: bits that both sides support",
        """
        ? * offer all protocol feature bits
        * as far as it comes
        * what it does not know is not acknowledged
        * it does not break VU-NEG-08
        """,
        rules=("VU-NEG-02", "VU-NEG-08"),
        meanings=TOLERATED,
    ),
    Case(
        "F-47",
        "REPLY_ACK is not offered",
        "The front-end asks for no acknowledgements, or says that it cannot do without them.",
        "VHOST_USER_PROTOCOL_F_REPLY_ACK: NEED_REPLY only if it is negotiated",
        """
        ? * offer without REPLY_ACK
        * as far as it comes
        * it does not break VU-HDR-06
        """,
        rules=("VU-HDR-06",),
        meanings=TOLERATED,
    ),
    Case(
        "F-48",
        "MQ is not offered",
        "The front-end does not ask for the number of queues.",
        "VHOST_USER_GET_QUEUE_NUM: only with VHOST_USER_PROTOCOL_F_MQ",
        """
        ? * offer without MQ
        * as far as it comes
        * it does not break VU-NEG-06
        """,
        rules=("VU-NEG-06",),
        meanings=TOLERATED,
    ),
    Case(
        "F-49",
        "CONFIGURE_MEM_SLOTS is not offered",
        "The front-end sends its memory as a table, or says that it cannot.",
        "VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS; VHOST_USER_SET_MEM_TABLE",
        """
        ? * offer without CONFIGURE_MEM_SLOTS
        * as far as it comes
        * it does not break VU-NEG-06
        """,
        rules=("VU-NEG-06", "VU-MEM-01"),
        meanings=TOLERATED,
    ),
    Case(
        "F-50",
        "STATUS and INFLIGHT_SHMFD are not offered",
        "The front-end does without them, or says that it cannot.",
        _OPTIONAL,
        """
        ? * offer without STATUS INFLIGHT_SHMFD
        * as far as it comes
        * it does not break VU-NEG-06
        """,
        rules=("VU-NEG-06",),
        meanings=TOLERATED,
    ),
    Case(
        "F-77",
        "RING_PACKED is offered",
        "The front-end uses packed rings, which begin with both wrap counters set, or split rings.",
        "VHOST_USER_SET_VRING_BASE: the wrap counters of a packed ring; virtio specification, Packed Virtqueues",
        """
        ? * offer also RING_PACKED
        * as far as it comes
        * it does not break VU-VRG-24
        """,
        rules=("VU-VRG-24",),
        meanings=HARMLESS,
    ),
    Case(
        "F-51",
        "GET_CONFIG is answered with another offset",
        "The front-end gives up: these are not the bytes that it asked for.",
        _CONFIG,
        """
        F>B GET_CONFIG
        ? * answer with offset 4
        """,
        rules=("VU-CFG-02",),
        meanings=NOTICED_BY_CUSTOM,
        ours=("VU-CFG-02",),
    ),
)
