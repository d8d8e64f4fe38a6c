"""Network devices: frames of all sizes, and the messages that only they have."""

from vudissect.check.model import ACCEPTED, REFUSED_BY_CUSTOM, Behaviour, Case, Meanings, Verdict

_TRANSMISSION = "virtio specification, Network Device, Packet Transmission"
_FRAMING = "virtio specification, Message Framing: no assumptions about the arrangement of descriptors"
_SURVIVES = "no text: a driver's fault must not end a process that serves others"
_SETTLES = "It is dropped or sent, the connection is closed, or the ring stops; the process lives."
_MTU = "VHOST_USER_NET_SET_MTU: the host MTU value exposed to the guest"
_NOT_SUPPORTED = {**ACCEPTED, Behaviour.REFUSED: Verdict.NON_STRICT, Behaviour.CLOSED: Verdict.NON_STRICT}


def _message(case: str, title: str, expected: str, section: str, line: str, meanings: Meanings) -> Case:
    feature = "RARP" if "RARP" in title else "MTU"
    return Case(
        case,
        title,
        expected,
        section,
        f"""
        * negotiate with {feature}
        * memory
        * start
        ? {line}
        * settled
        """,
        meanings=meanings,
        needs=("data", feature),
        device="net",
    )


def _frame(case: str, name: str, expected: str = _SETTLES, section: str = _SURVIVES) -> Case:
    is_right = expected is not _SETTLES
    lines = [f"* request: {name}", "* request"] if is_right else [f"* offer: {name}", "* settled"]
    return Case(case, name, expected, section, "\n".join(["* ready", *lines]), needs=("data",), device="net")


CASES = (
    _message(
        "NET-01",
        "NET_SET_MTU 1500",
        "It is accepted.",
        _MTU,
        "F>B NET_SET_MTU mtu=1500",
        _NOT_SUPPORTED,
    ),
    _message(
        "NET-02",
        "SEND_RARP",
        "It is accepted. A back-end that has nothing to do sends nothing.",
        "VHOST_USER_SEND_RARP: ask the back-end to broadcast a fake RARP",
        "F>B SEND_RARP mac=52:54:00:12:34:56",
        _NOT_SUPPORTED,
    ),
    _message(
        "NET-03",
        "NET_SET_MTU 67",
        "It is refused: the least MTU of a network device is 68.",
        f"{_MTU}; virtio specification, Network Device: mtu is at least 68; no text on what a back-end does with less",
        "F>B NET_SET_MTU mtu=67",
        REFUSED_BY_CUSTOM,
    ),
    _message(
        "NET-04",
        "NET_SET_MTU 65536",
        "It is refused: the MTU of a network device has 16 bits.",
        f"{_MTU}; virtio specification, Network Device: mtu is an le16; no text on what a back-end does with more",
        "F>B NET_SET_MTU mtu=65536",
        REFUSED_BY_CUSTOM,
    ),
    _frame("NET-05", "a large frame", "It is given back: 9000 bytes are a jumbo frame.", _TRANSMISSION),
    _frame("NET-06", "a frame in pieces", "It is given back.", _FRAMING),
    _frame("NET-07", "a frame of one byte"),
    _frame("NET-08", "half a header"),
    _frame("NET-09", "an unknown offload"),
    Case(
        "NET-10",
        "64 queue pairs",
        "All 128 rings are started and enabled, and a frame is given back.",
        "Multiple queue support: VHOST_USER_GET_QUEUE_NUM is the number of queues",
        """
        * negotiate
        * memory
        * use 64 queue pairs
        * start
        * request
        * stop
        """,
        rules=("VU-VRG-01",),
        needs=("data", "MQ", "64 queue pairs"),
        device="net",
        # It takes a while on a slow machine.
        ours_perhaps=("VU-TIM-03",),
    ),
)
