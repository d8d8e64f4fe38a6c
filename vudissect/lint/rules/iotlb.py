"""VU-IOT: the device IOTLB. Most messages of a capture can be these: the rules look at values, not at named fields."""

from dataclasses import dataclass, field

from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.gates import lacking
from vudissect.lint.rule import SPEC, Findings, RuleBook, Trigger, first_requests, requests
from vudissect.protocol.model import Channel, Gate
from vudissect.protocol.payloads import IOTLB, IOTLB_MISS, IOTLB_UPDATE
from vudissect.protocol.purpose import Purpose
from vudissect.wire.header import NEED_REPLY

RULES = RuleBook()

_IOVA, _SIZE, _USER_ADDR, _PERM, _TYPE = (
    IOTLB.names.index(name) for name in ("iova", "size", "user_addr", "perm", "type")
)
_PERMISSIONS = IOTLB.fields[_PERM].choices
_TYPES = IOTLB.fields[_TYPE].choices

# What QEMU wants beside the gate of the row before it serves an IOTLB.
_QEMU_NEEDS = Gate(protocol=("BACKEND_REQ", "REPLY_ACK"), virtio=("ACCESS_PLATFORM",))

# A back-end may ask again while the answer is on its way; so often it does not get one.
_STORM = 10
_MOST_MISSED = 64


def _on(channel: Channel) -> Trigger:
    return Trigger(
        lambda row, reply: (
            not reply and row is not None and row.purpose is Purpose.UPDATE_IOTLB and row.channel is channel
        )
    )


@RULES.rule(
    "VU-IOT-01",
    Severity.ERROR,
    "IOTLB messages are sent only with ACCESS_PLATFORM, BACKEND_REQ and REPLY_ACK",
    f"{SPEC}, IOTLB_MSG; QEMU hw/virtio/vhost-user.c refuses an IOMMU without BACKEND_REQ and REPLY_ACK",
    first_requests(Purpose.UPDATE_IOTLB),
)
def iotlb_gate(at: At) -> Findings:
    lack = lacking(at.after, _QEMU_NEEDS)
    if lack is not None:
        yield at.finding(f"{at.name} is sent, but {lack.text}", frames=lack.frames)


@RULES.rule(
    "VU-IOT-02",
    Severity.ERROR,
    "an IOTLB message has a type of 1 to 6 and a permission of 0 to 3",
    f"{SPEC}, An IOTLB message",
    requests(Purpose.UPDATE_IOTLB),
)
def iotlb_values(at: At) -> Findings:
    message = at.message
    if message.layout is not IOTLB:
        return
    values = message.values
    if values[_TYPE] not in _TYPES or values[_PERM] not in _PERMISSIONS:
        yield at.finding(
            f"type {values[_TYPE]} and permission {values[_PERM]} for iova {values[_IOVA]:#x}: "
            "types are 1 to 6, permissions 0 to 3"
        )


@RULES.rule(
    "VU-IOT-03",
    Severity.WARNING,
    "the IOTLB maps to memory that the back-end was given",
    f"{SPEC}, IOTLB_MSG; DPDK cannot translate the address",
    _on(Channel.MAIN),
)
def iotlb_target(at: At) -> Findings:
    message, state = at.message, at.after
    if message.layout is not IOTLB or message.values[_TYPE] != IOTLB_UPDATE:
        return
    address, size = message.values[_USER_ADDR], message.values[_SIZE]
    place = state.place(address)
    if (place is None or place.offset + size > place.region.size) and state.knows_memory:
        regions = state.memory.regions
        yield at.finding(
            f"iova {message.values[_IOVA]:#x} (size {size}) is mapped to {address:#x}, which is not within one of the "
            f"{len(regions)} memory regions: the back-end cannot reach it",
            frames=(state.memory.changed_in,) if regions else (),
        )


@RULES.rule(
    "VU-IOT-04",
    Severity.WARNING,
    "a back-end does not wait for the acknowledgement of a miss",
    "QEMU hw/virtio/vhost-backend.c: the update goes out, and waits for its answer, before the miss is acknowledged",
    _on(Channel.BACKEND),
)
def iotlb_miss_acknowledged(at: At) -> Findings:
    message = at.message
    if message.flags & NEED_REPLY and message.layout is IOTLB and message.values[_TYPE] == IOTLB_MISS and at.first():
        yield at.finding(
            f"the miss of iova {message.values[_IOVA]:#x} asks for an acknowledgement (NEED_REPLY): the front-end "
            "sends the update on the main channel first and waits for its answer; if the back-end waits for the "
            "acknowledgement meanwhile, both wait for ever"
        )


@dataclass(slots=True)
class _Missed:
    """For addresses that are missed and not mapped yet, how often they were, and the frame of the first time."""

    addresses: dict[int, tuple[int, int]] = field(default_factory=dict)


@RULES.rule(
    "VU-IOT-05",
    Severity.INFO,
    f"an address that is missed {_STORM} times without being mapped",
    f"{SPEC}, IOTLB_MSG",
    requests(Purpose.UPDATE_IOTLB),
    remembers=_Missed,
)
def iotlb_storm(at: At[_Missed]) -> Findings:
    message, missed = at.message, at.memory.addresses
    if message.layout is not IOTLB:
        return
    iova, kind = message.values[_IOVA], message.values[_TYPE]
    if kind == IOTLB_UPDATE:
        if missed:
            end = iova + message.values[_SIZE]
            for address in [address for address in missed if iova <= address < end]:
                del missed[address]
    elif kind == IOTLB_MISS:
        times, first = missed.get(iova, (0, at.frame))
        if times or len(missed) < _MOST_MISSED:
            missed[iova] = (times + 1, first)
        if times + 1 == _STORM:
            yield at.finding(
                f"iova {iova:#x} was missed {_STORM} times since #{first} and not mapped: "
                "the front-end does not answer, or has no mapping for it",
                Blame.FRONT_END,
                frames=(first,),
            )
