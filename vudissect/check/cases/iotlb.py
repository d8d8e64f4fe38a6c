"""The device IOTLB, with which a back-end translates addresses where the guest has an IOMMU."""

from vudissect.check.model import ACCEPTED, REFUSED, REFUSED_BY_CUSTOM, Behaviour, Case, Verdict

_SUPPORT = "IOMMU support"
_MESSAGE = "VHOST_USER_IOTLB_MSG: acknowledged with zero for success, non-zero otherwise"
_REFUSED = {**REFUSED, Behaviour.ANSWERED: Verdict.FAIL, Behaviour.ACKNOWLEDGED: Verdict.FAIL}
_BY_CUSTOM = {**REFUSED_BY_CUSTOM, Behaviour.ANSWERED: Verdict.NON_STRICT}
_BEGIN = """
        * negotiate with ACCESS_PLATFORM BACKEND_REQ
        F>B SET_BACKEND_REQ_FD sock#1
        * translated addresses
        * memory
"""
_NEEDS = ("ACCESS_PLATFORM", "BACKEND_REQ", "REPLY_ACK")


def _served(case: str, title: str, expected: str, *steps: str) -> Case:
    talk = _BEGIN + "\n".join(f"* {step}" for step in steps)
    return Case(
        case,
        title,
        expected,
        f"{_SUPPORT}: the back-end relies on the channel to send IOTLB miss events",
        talk,
        rules=("VU-IOT-01", "VU-IOT-03"),
        needs=(*_NEEDS, "data"),
        ours_perhaps=("VU-IOT-06",),
    )


def _answered(
    case: str, title: str, expected: str, section: str, words: str, rule: str, *, custom: bool = False
) -> Case:
    return Case(
        case,
        title,
        expected,
        section,
        f"{_BEGIN}? F>B IOTLB_MSG {words} need_reply",
        rules=(rule,),
        meanings=_BY_CUSTOM if custom else _REFUSED,
        needs=_NEEDS,
        ours=(rule,),
    )


CASES = (
    _served(
        "IOT-01",
        "all of the memory has an entry before the ring starts, and misses are answered",
        "The request is done: ring and buffers are found by their I/O virtual addresses.",
        *["answer misses", "map the memory", "start", "request"],
    ),
    _served(
        "IOT-02",
        "no address has an entry; those that the back-end asks for get one",
        "It asks, and the request is done.",
        *["answer misses", "start", "request", "misses came"],
    ),
    _answered(
        "IOT-03",
        "an entry with user addresses outside of all memory",
        "It is refused.",
        f"{_SUPPORT}: addresses and size must be within memory regions; {_MESSAGE}",
        "iova=0x1000 size=4096 user_addr=0x1000 perm=3 type=2",
        "VU-IOT-03",
    ),
    _answered(
        "IOT-04",
        "an IOTLB message of type 7",
        "It is refused: there are types 1 to 6.",
        f"An IOTLB message: type; {_MESSAGE}",
        "iova=0x1000 size=4096 user_addr=0x7f0000000000 perm=3 type=7",
        "VU-IOT-02",
    ),
    _answered(
        "IOT-05",
        "an entry with permission 4",
        "It is refused: there are permissions 0 to 3.",
        f"An IOTLB message: permissions flags; {_MESSAGE}; no text on what a back-end does with others",
        "iova=0x1000 size=4096 user_addr=0x7f0000000000 perm=4 type=2",
        "VU-IOT-02",
        custom=True,
    ),
    _served(
        "IOT-06",
        "all entries are taken back after a request",
        "For the next request the back-end asks again, and it is done.",
        *["answer misses", "map the memory", "start", "request", "unmap the memory"],
        *["answer misses", "request", "misses came"],
    ),
    Case(
        "IOT-07",
        "IOTLB_MSG though ACCESS_PLATFORM is not negotiated",
        "It is refused, or the connection is closed.",
        "VHOST_USER_IOTLB_MSG: should be sent only when VIRTIO_F_ACCESS_PLATFORM has been negotiated; no text on what a"
        " back-end does otherwise",
        """
        * negotiate
        * memory
        ? F>B IOTLB_MSG iova=0x1000 size=4096 user_addr=0x7f0000000000 perm=3 type=2 need_reply
        """,
        rules=("VU-IOT-01",),
        meanings=_BY_CUSTOM,
        ours=("VU-IOT-01",),
        ours_perhaps=("VU-NEG-06",),
    ),
    _served(
        "IOT-08",
        "nobody answers a miss",
        "The request waits; the connection works all the same.",
        *["start", "submit", "kick", "settled", "untouched"],
    ),
    Case(
        "IOT-09",
        "an entry, without NEED_REPLY",
        "It is acknowledged all the same. DPDK does not; QEMU always sets NEED_REPLY.",
        f"{_MESSAGE}; VHOST_USER_PROTOCOL_F_REPLY_ACK: for messages with a reply, need_reply changes nothing",
        f"{_BEGIN}? F>B IOTLB_MSG iova=0x1000 size=4096 user_addr=0x7f0000000000 perm=3 type=2",
        rules=("VU-RPL-03",),
        meanings={**ACCEPTED, Behaviour.IGNORED: Verdict.NON_STRICT},
        needs=_NEEDS,
    ),
)
