"""VU-IOT: the device IOTLB. A capture may consist mostly of these messages, so the rules read values by position."""

from bisect import bisect_left
from dataclasses import field
from typing import NamedTuple

from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.gates import lacking
from vudissect.lint.memory import memory
from vudissect.lint.ring_layout import MOST_ENTRIES, parts_of
from vudissect.lint.rule import NOTHING, SPEC, Findings, RuleBook, Trigger, ending, first_requests, requests
from vudissect.protocol.features import F_ACCESS_PLATFORM
from vudissect.protocol.model import Channel, Gate
from vudissect.protocol.payloads import IOTLB, IOTLB_MISS, IOTLB_UPDATE
from vudissect.protocol.purpose import Purpose
from vudissect.session.extents import Extents
from vudissect.session.memory import NO_MEMORY, Region
from vudissect.session.rings import Rings
from vudissect.session.state import State

RULES = RuleBook()


_IOVA, _SIZE, _USER_ADDR, _PERM, _TYPE = (
    IOTLB.names.index(name) for name in ("iova", "size", "user_addr", "perm", "type")
)
# Looked up once: to find a member in its enumeration takes longer than the rules below.
_UPDATE = Purpose.UPDATE_IOTLB

_PERMISSIONS = IOTLB.fields[_PERM].choices
_TYPES = IOTLB.fields[_TYPE].choices

# What QEMU needs besides the gate of the row before it serves an IOTLB.
_QEMU_NEEDS = Gate(protocol=("BACKEND_REQ", "REPLY_ACK"), virtio=("ACCESS_PLATFORM",))

# A back-end may repeat a miss while the answer is on its way; after this many there is none.
_STORM = 10
_MOST_MISSED = 64


def _on(channel: Channel) -> Trigger:
    return Trigger(lambda row, reply: not reply and row.purpose is Purpose.UPDATE_IOTLB and row.channel is channel)


@RULES.rule(
    "VU-IOT-01",
    Severity.ERROR,
    "IOTLB messages are sent only with ACCESS_PLATFORM, BACKEND_REQ and REPLY_ACK",
    f"{SPEC}, IOTLB_MSG; QEMU hw/virtio/vhost-user.c refuses an IOMMU without BACKEND_REQ and REPLY_ACK",
    first_requests(Purpose.UPDATE_IOTLB),
    patient=True,
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
    patient=True,
)
def iotlb_values(at: At) -> Findings:
    message = at.message
    values = message.values
    if message.layout is not IOTLB or (values[_TYPE] in _TYPES and values[_PERM] in _PERMISSIONS):
        return NOTHING
    text = f"type {values[_TYPE]} and permission {values[_PERM]} for iova {values[_IOVA]:#x}"
    return iter((at.finding(f"{text}: types are 1 to 6, permissions 0 to 3"),))


@memory
class _Reachable:
    """The memory regions of one state, by the addresses that are used."""

    state: State | None = None
    regions: Extents[Region] = NO_MEMORY.by_user


@RULES.rule(
    "VU-IOT-03",
    Severity.WARNING,
    "the IOTLB maps to memory that the back-end received",
    f"{SPEC}, IOTLB_MSG; DPDK cannot translate the address",
    _on(Channel.MAIN),
    remembers=_Reachable,
    patient=True,
)
def iotlb_target(at: At[_Reachable]) -> Findings:
    message, state = at.message, at.after
    if message.layout is not IOTLB or message.values[_TYPE] != IOTLB_UPDATE:
        return NOTHING
    reachable = at.memory
    if reachable.state is not state:
        reachable.state, reachable.regions = state, state.addressed_regions
    address, size = message.values[_USER_ADDR], message.values[_SIZE]
    if reachable.regions.has(address, size) or not state.knows_memory:
        return NOTHING
    regions = state.memory.regions
    finding = at.finding(
        f"iova {message.values[_IOVA]:#x} (size {size}) is mapped to {address:#x}, which is not within "
        f"{'the memory region' if len(regions) == 1 else f'any of the {len(regions)} memory regions'}: the "
        "back-end cannot access it",
        frames=(state.memory.changed_in,) if regions else (),
    )
    return iter((finding,))


@RULES.rule(
    "VU-IOT-04",
    Severity.WARNING,
    "a back-end does not wait for the acknowledgement of a miss",
    "QEMU hw/virtio/vhost-backend.c sends the update and waits for its answer before it acknowledges the miss",
    _on(Channel.BACKEND)._replace(asking=True),
    patient=True,
)
def iotlb_miss_acknowledged(at: At) -> Findings:
    message = at.message
    if message.layout is IOTLB and message.values[_TYPE] == IOTLB_MISS and at.first():
        yield at.finding(
            f"the miss of iova {message.values[_IOVA]:#x} asks for an acknowledgement (NEED_REPLY): the front-end "
            "sends the update on the main channel first and waits for its answer; if the back-end waits for the "
            "acknowledgement in the meantime, both wait forever"
        )


@memory
class _Missed:
    """How often an unmapped address was missed, and the frame of its first miss, by address."""

    addresses: dict[int, tuple[int, int]] = field(default_factory=dict)


@RULES.rule(
    "VU-IOT-05",
    Severity.INFO,
    f"an address that is missed {_STORM} times without being mapped",
    f"{SPEC}, IOTLB_MSG",
    requests(Purpose.UPDATE_IOTLB),
    remembers=_Missed,
    patient=True,
)
def iotlb_storm(at: At[_Missed]) -> Findings:
    message, missed = at.message, at.memory.addresses
    if message.layout is not IOTLB:
        return NOTHING
    iova, kind = message.values[_IOVA], message.values[_TYPE]
    if kind == IOTLB_UPDATE:
        if missed:
            end = iova + message.values[_SIZE]
            for address in [address for address in missed if iova <= address < end]:
                del missed[address]
    elif kind == IOTLB_MISS:
        times, first = missed.get(iova) or (0, at.frame)
        if times or len(missed) < _MOST_MISSED:
            missed[iova] = (times + 1, first)
        if times + 1 == _STORM:
            finding = at.finding(
                f"iova {iova:#x} was missed {_STORM} times since #{first} without being mapped: "
                "the front-end does not answer, or has no mapping for it",
                Blame.FRONT_END,
                frames=(first,),
            )
            return iter((finding,))
    return NOTHING


class _Span(NamedTuple):
    """A part of a ring: the addresses from `start` up to `end`."""

    start: int
    end: int
    name: str
    ring: int


@memory
class _Translated:
    """The parts of the rings of one state, in order, and how many bytes of each were translated."""

    rings: Rings | None = None
    spans: list[_Span] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    longest: int = 0
    bytes: dict[_Span, int] = field(default_factory=dict)


@RULES.rule(
    "VU-IOT-06",
    Severity.WARNING,
    "all of a ring is translated, not only its first page",
    f"{SPEC}, IOTLB_MSG; DPDK 5d9dc18e1b",
    _on(Channel.MAIN) | requests(Purpose.STOP_RING) | ending(),
    remembers=_Translated,
    patient=True,
)
def ring_translated(at: At[_Translated]) -> Findings:
    translated = at.memory
    if at.event.message is not None and at.message.row.purpose is _UPDATE and not at.finished:
        _note_update(at, translated)
        return NOTHING
    return _translated_partly(at, translated)


def _translated_partly(at: At[_Translated], translated: _Translated) -> Findings:
    if not translated.bytes or not at.after.features.has(F_ACCESS_PLATFORM):
        return
    partly = [
        (span, known)
        for span in translated.spans
        if 0 < (known := translated.bytes.get(span, 0)) < span.end - span.start and _has_run(at, span)
    ]
    if partly and at.first():
        span, known = partly[0]
        others = sorted({other.ring for other, _ in partly} - {span.ring})
        more = f"; the same for ring{'s' * (len(others) > 1)} {', '.join(map(str, others[:8]))}" if others else ""
        yield at.finding(
            f"{span.name} of ring {span.ring} is at {span.start:#x} to {span.end:#x}, but only {known} of these "
            f"{span.end - span.start} bytes were ever translated: the back-end did not request the rest, and assumes "
            f"that it follows the first page{more}",
            Blame.BACK_END,
        )


def _note_update(at: At[_Translated], translated: _Translated) -> None:
    message, rings = at.message, at.after.rings
    if message.layout is not IOTLB or message.values[_TYPE] != IOTLB_UPDATE:
        return
    if rings is not translated.rings:
        _note_rings(at, translated)
    start = message.values[_IOVA]
    end = start + message.values[_SIZE]
    first, last = bisect_left(translated.starts, start - translated.longest), bisect_left(translated.starts, end)
    for span in translated.spans[first:last] if first < last else ():
        shared = min(end, span.end) - max(start, span.start)
        if shared > 0:
            translated.bytes[span] = translated.bytes.get(span, 0) + shared


def _note_rings(at: At[_Translated], translated: _Translated) -> None:
    translated.rings = at.after.rings
    translated.spans = sorted(
        _Span(start, start + size, name, ring.index)
        for ring in at.after.rings.values()
        if ring.addresses is not None and ring.size and ring.size <= MOST_ENTRIES
        for name, (start, size) in parts_of(at.after, ring.addresses, ring.size).items()
    )
    translated.starts = [span.start for span in translated.spans]
    translated.longest = max((span.end - span.start for span in translated.spans), default=0)
    translated.bytes = {span: known for span, known in translated.bytes.items() if span in set(translated.spans)}


def _has_run(at: At, span: _Span) -> bool:
    ring = at.after.rings.get(span.ring)
    return ring is not None and bool(ring.runs_since)
