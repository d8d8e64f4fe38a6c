"""From the start of rings to the end of the session: memory, rings, in-flight memory, dirty log, reconnecting."""

from vudissect.check.cases.front_end.meanings import HARMLESS, NOTICED, SURVIVED, TOLERATED
from vudissect.check.model import Case

_REPLY_ACK = "VHOST_USER_PROTOCOL_F_REPLY_ACK: a value other than 0 is a failure"
_HANG_UP = "no text on what a front-end does when the back-end dies"
_RECONNECT = "no text: the specification has nothing on a back-end that comes back with another offer"
_USED = "virtio specification, The Virtqueue Used Ring; no text on a device that breaks it"
_INFLIGHT = "Inflight I/O tracking; VHOST_USER_GET_INFLIGHT_FD"
_MEMORY = "F>B SET_MEM_TABLE or ADD_MEM_REG"
_GONE = ("VU-RPL-08", "VU-END-01", "VU-VRG-15")

CASES = (
    Case(
        "F-25",
        "the guest memory is refused",
        "The front-end does not start the rings.",
        _REPLY_ACK,
        f"""
        {_MEMORY}
        ? * acknowledge with 1
        """,
        rules=("VU-RPL-05",),
        meanings=NOTICED,
        ours_perhaps=("VU-RPL-05",),
    ),
    Case(
        "F-26",
        "the back-end hangs up when it gets the guest memory",
        "The front-end gives up, or connects again.",
        _HANG_UP,
        f"""
        {_MEMORY}
        ? * hang up
        """,
        rules=("VU-END-01",),
        meanings=NOTICED,
        ours_perhaps=_GONE,
    ),
    Case(
        "F-27",
        "after a reconnect there is one memory slot only",
        "The front-end goes on if that is enough, or gives up.",
        _RECONNECT,
        """
        * it runs
        * hang up
        * offer 1 memory slots
        ? * it connects again
        """,
        rules=("VU-MEM-09",),
        meanings=TOLERATED,
        needs=("CONFIGURE_MEM_SLOTS",),
        ours_perhaps=_GONE,
    ),
    Case(
        "F-28",
        "GET_VRING_BASE is never answered when the front-end ends",
        "The front-end ends all the same.",
        "no text: there is no time limit for an answer",
        """
        * it ends
        F>B GET_VRING_BASE
        ? * say nothing
        """,
        rules=("VU-RPL-03",),
        meanings=TOLERATED,
        ours_perhaps=("VU-RPL-03", "VU-RPL-01", "VU-RPL-11"),
    ),
    Case(
        "F-29",
        "GET_VRING_BASE is answered with a position beyond the ring",
        "The front-end survives it.",
        "VHOST_USER_GET_VRING_BASE; no text on values that cannot be",
        """
        * it ends
        F>B GET_VRING_BASE
        ? * answer with num 40000
        """,
        rules=("VU-VRG-11",),
        meanings=TOLERATED,
        ours_perhaps=("VU-VRG-06", "VU-VRG-07", "VU-VRG-11"),
    ),
    Case(
        "F-34",
        "a dirty log is passed",
        "It has room for all memory, and the front-end goes on when it is acknowledged.",
        "VHOST_USER_SET_LOG_BASE; Migration: one bit for each page of the memory",
        """
        F>B SET_LOG_BASE
        ? * answer
        * as far as it comes
        * it does not break VU-LOG-01
        * it does not break VU-LOG-02
        """,
        rules=("VU-LOG-01", "VU-LOG-02"),
        meanings=HARMLESS,
    ),
    Case(
        "F-35",
        "the used index of a ring jumps by 1000",
        "The front-end survives it, whatever its driver does.",
        _USED,
        """
        F>B SET_VRING_KICK
        ? * the next request: the used index jumps
        """,
        meanings=SURVIVED,
        needs=("data",),
    ),
    Case(
        "F-60",
        "a ring uses an entry that was never available",
        "The front-end survives it, whatever its driver does.",
        _USED,
        """
        F>B SET_VRING_KICK
        ? * the next request: an unknown id is used
        """,
        meanings=SURVIVED,
        needs=("data",),
    ),
    Case(
        "F-61",
        "a used entry claims that 4 GiB were written",
        "The front-end survives it, whatever its driver does.",
        _USED,
        """
        F>B SET_VRING_KICK
        ? * the next request: more is written than there is room for
        """,
        meanings=SURVIVED,
        needs=("data",),
    ),
    Case(
        "F-62",
        "a request is never done",
        "The front-end can be ended.",
        "no text: there is no time limit for a request",
        """
        F>B SET_VRING_KICK
        ? * the next request: nothing is done
        """,
        meanings=SURVIVED,
        needs=("data",),
    ),
    Case(
        "F-63",
        "rings are signalled 100 times for nothing",
        "The front-end looks, and goes on.",
        "virtio specification, Used Buffer Notification: a driver has to look into the ring",
        """
        * it runs
        ? * signal call 100 times
        """,
        meanings=HARMLESS,
        needs=("data",),
    ),
    Case(
        "F-64",
        "the err descriptor of the rings is signalled",
        "The front-end reports it, and goes on or gives up.",
        "VHOST_USER_SET_VRING_ERR; no text on what a front-end does then",
        """
        F>B SET_VRING_ERR
        * it runs
        ? * signal err 1 times
        """,
        meanings=TOLERATED,
        needs=("data",),
    ),
    Case(
        "F-65",
        "GET_VRING_BASE is answered for another ring",
        "The front-end notices.",
        "VHOST_USER_GET_VRING_BASE: the reply is about the ring that was asked for",
        """
        * it ends
        F>B GET_VRING_BASE
        ? * answer with index 7
        """,
        rules=("VU-VRG-01",),
        meanings=TOLERATED,
        ours_perhaps=("VU-VRG-01", "VU-RPL-01"),
    ),
    Case(
        "F-66",
        "GET_INFLIGHT_FD is answered without a descriptor",
        "The front-end gives up: there is nothing to map.",
        _INFLIGHT,
        """
        F>B GET_INFLIGHT_FD
        ? * answer without a descriptor
        """,
        rules=("VU-FD-02", "VU-INF-01"),
        meanings=NOTICED,
        ours_perhaps=("VU-FD-02", "VU-INF-01"),
    ),
    Case(
        "F-67",
        "GET_INFLIGHT_FD is answered with a size of 0",
        "The front-end gives up, or does without in-flight memory: that is what an answer of size 0 means.",
        _INFLIGHT,
        """
        F>B GET_INFLIGHT_FD
        ? * answer with mmap_size 0
        """,
        rules=("VU-INF-01",),
        meanings=SURVIVED,
        ours_perhaps=("VU-INF-01", "VU-FD-01"),
    ),
    Case(
        "F-68",
        "GET_INFLIGHT_FD is answered with a size of 1 TiB, and a descriptor of a few pages",
        "The front-end survives it.",
        _INFLIGHT,
        """
        F>B GET_INFLIGHT_FD
        ? * answer with mmap_size 1099511627776
        """,
        rules=("VU-INF-01",),
        meanings=SURVIVED,
        ours_perhaps=("VU-INF-01", "VU-FD-10"),
    ),
    Case(
        "F-69",
        "GET_STATUS is answered with 0 after the features are set: they are not accepted",
        "The front-end gives up, or goes on: its driver has to look.",
        "VHOST_USER_GET_STATUS; virtio specification, Device Initialization",
        """
        F>B SET_STATUS
        F>B GET_STATUS
        ? * answer with status 0
        """,
        rules=("VU-STA-02",),
        meanings=TOLERATED,
        needs=("STATUS",),
        ours_perhaps=("VU-STA-02",),
    ),
    Case(
        "F-70",
        "the addresses of a ring are refused",
        "The front-end does not start this ring.",
        _REPLY_ACK,
        """
        F>B SET_VRING_ADDR
        ? * acknowledge with 1
        """,
        rules=("VU-RPL-05",),
        meanings=NOTICED,
        ours_perhaps=("VU-RPL-05",),
    ),
    Case(
        "F-71",
        "the back-end hangs up when a ring is started",
        "The front-end gives up, or connects again.",
        _HANG_UP,
        """
        F>B SET_VRING_KICK
        ? * hang up
        """,
        rules=("VU-END-01",),
        meanings=NOTICED,
        ours_perhaps=_GONE,
    ),
    Case(
        "F-72",
        "the back-end hangs up while everything runs",
        "The front-end gives up, or connects again.",
        _HANG_UP,
        """
        * it runs
        ? * hang up
        """,
        rules=("VU-END-01",),
        meanings=NOTICED,
        ours_perhaps=_GONE,
    ),
    Case(
        "F-73",
        "the back-end hangs up instead of answering GET_VRING_BASE",
        "The front-end ends all the same.",
        _HANG_UP,
        """
        * it ends
        F>B GET_VRING_BASE
        ? * hang up
        """,
        rules=("VU-RPL-08",),
        meanings=TOLERATED,
        ours_perhaps=_GONE,
    ),
    Case(
        "F-74",
        "after a reconnect RING_PACKED, INDIRECT_DESC and EVENT_IDX are not offered any more",
        "The front-end does not use them on this connection, or gives up.",
        _RECONNECT,
        """
        * offer also RING_PACKED
        * it runs
        * hang up
        * offer without RING_PACKED INDIRECT_DESC EVENT_IDX
        ? * it connects again
        * as far as it comes
        * it does not break VU-NEG-01
        """,
        rules=("VU-RCN-01", "VU-NEG-01"),
        meanings=TOLERATED,
        ours_perhaps=_GONE,
    ),
    Case(
        "F-75",
        "after a reconnect there is one queue less",
        "The front-end goes on if that is enough, or gives up.",
        _RECONNECT,
        """
        * it runs
        * hang up
        * offer 0 queues
        ? * it connects again
        """,
        rules=("VU-RCN-02",),
        meanings=TOLERATED,
        needs=("MQ",),
        ours_perhaps=_GONE,
    ),
    Case(
        "F-76",
        "the back-end comes back unchanged",
        "The front-end goes on where it was.",
        "no text: reconnecting is up to the front-end",
        """
        * it runs
        * hang up
        ? * it connects again
        * as far as it comes
        * it does not break VU-RCN-01
        * it does not break VU-RCN-02
        """,
        rules=("VU-RCN-01", "VU-RCN-02", "VU-RCN-03"),
        meanings=HARMLESS,
        ours_perhaps=_GONE,
    ),
)
