"""VU-VRG-22 and -24, VU-NEG-17, VU-INF-04, VU-BEC-03: steps of the set-up out of order, or twice."""

from dataclasses import field

from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.memory import memory
from vudissect.lint.rule import SPEC, Findings, RuleBook, ending, requests
from vudissect.lint.runs import purpose_of, ring_of
from vudissect.protocol.features import F_RING_PACKED
from vudissect.protocol.model import Channel
from vudissect.protocol.purpose import Purpose
from vudissect.session.rings import Addresses, Started

RULES = RuleBook()

# The index in either half of a packed position, without its wrap counter.
_INDEX = 0x7FFF
_HALF = 0xFFFF


def _places(addresses: Addresses | None) -> tuple[int, int, int] | None:
    return (addresses.desc, addresses.avail, addresses.used) if addresses is not None else None


@RULES.rule(
    "VU-VRG-22",
    Severity.ERROR,
    "the size, base and addresses of a ring stay as they are while it is started",
    f"{SPEC}, Ring states; SPDK 148eda65c1, 2725b5191e",
    requests(Purpose.SET_RING_SIZE, Purpose.SET_RING_BASE, Purpose.SET_RING_ADDRESSES),
)
def set_up_while_started(at: At) -> Findings:
    ring = ring_of(at)
    before = at.before.rings.get(ring.index) if ring is not None else None
    if ring is None or before is None or before.started is not Started.STARTED:
        return
    if purpose_of(at) is Purpose.SET_RING_BASE:
        what = f"base ({ring.base})"
        harm = "requests that the back-end has processed since are processed again or lost"
    elif purpose_of(at) is Purpose.SET_RING_SIZE:
        if ring.size == before.size:
            return
        what, harm = f"size ({before.size} to {ring.size})", "the parts of the ring move"
    else:
        # Addresses are sent again to turn logging on or off, and after a new memory table.
        moved = _places(ring.addresses) != _places(before.addresses)
        if not moved or before.addresses is None or at.after.memory.changed_in > before.addresses.frame:
            return
        what, harm = "addresses", "requests at the old addresses are lost"
    since = before.slots[Purpose.SET_KICK].frame
    if at.first((ring.index, what)):
        yield at.finding(
            f"{at.name} changes the {what} of ring {ring.index}, which has been started since #{since}: {harm}; stop "
            "it first",
            frames=(since,),
        )


@RULES.rule(
    "VU-NEG-17",
    Severity.ERROR,
    "features are acknowledged before the first ring is started",
    f"{SPEC}, Starting and stopping rings; DPDK 57ae79a75b, VPP 545866b5b31",
    requests(Purpose.ACK_FEATURES),
)
def features_last(at: At) -> Findings:
    state = at.before
    if state.features.acked is not None or not state.whole or not state.rings.were_started:
        return
    started = [ring for ring in state.rings.values() if ring.slots[Purpose.SET_KICK].epoch]
    kicks = tuple(ring.slots[Purpose.SET_KICK].frame for ring in started[:4])
    yield at.finding(
        f"the first {at.name} comes only after ring {started[0].index} was started in #{kicks[0]}: a back-end that "
        "resets the device on this message (VPP) loses its memory table and rings",
        frames=kicks,
    )


@memory
class _Earlier:
    """Whether a ring has run on an earlier connection."""

    has_run: bool = False


@RULES.rule(
    "VU-VRG-24",
    Severity.ERROR,
    "a packed ring begins with wrap counters of 1",
    f"{SPEC}, Vring descriptor indices for packed virtqueues; virtio specification, Packed Virtqueues",
    requests(Purpose.SET_RING_BASE) | ending(),
)
def packed_beginning(at: At) -> Findings:
    if at.over:
        at.lasting(_Earlier).has_run |= at.after.rings.were_started
        return
    ring, base = ring_of(at), at.fields.get("num", 0)
    if ring is None or not at.after.features.has(F_RING_PACKED) or ring.stopped_at is not None:
        return
    # A ring that has wrapped may have any counter, but then its positions are rarely both 0. DPDK and VPP leave the
    # used half 0.
    if not at.after.whole or at.lasting(_Earlier).has_run or base & _HALF or (base >> 16) & _INDEX:
        return
    if at.first():
        yield at.finding(
            f"ring {ring.index} is packed and begins at {base:#x}, with an avail wrap counter of 0: both counters of a "
            "new packed ring are 1 (0x80008000); the back-end treats its descriptors as used"
        )


@memory
class _Asked:
    """The frame in which in-flight memory was requested before any features were acknowledged; 0 for none."""

    frame: int = 0


@RULES.rule(
    "VU-INF-04",
    Severity.ERROR,
    "in-flight memory is requested after the features are acknowledged: its layout depends on RING_PACKED",
    f"{SPEC}, Inflight I/O tracking; QEMU 1b0063b304",
    requests(Purpose.OFFER_INFLIGHT, Purpose.ACK_FEATURES),
    remembers=_Asked,
)
def inflight_before_features(at: At[_Asked]) -> Findings:
    if purpose_of(at) is Purpose.OFFER_INFLIGHT:
        if at.after.features.acked is None and at.after.whole and not at.memory.frame:
            at.memory.frame = at.frame
    elif at.memory.frame and at.after.features.has(F_RING_PACKED) and at.first():
        yield at.finding(
            f"in-flight memory is requested before {at.name} (#{at.frame}) acknowledges RING_PACKED: the back-end uses "
            "the layout of split rings, and reads garbage when it resumes",
            Blame.FRONT_END,
            frame=at.memory.frame,
            frames=(at.frame,),
        )


@memory
class _Channels:
    """The frames in which channels were passed to the back-end."""

    given_in: dict[Channel, int] = field(default_factory=dict)


@RULES.rule(
    "VU-BEC-03",
    Severity.ERROR,
    "a channel is opened once on a connection",
    f"{SPEC}, SET_BACKEND_REQ_FD; QEMU 67b3965e89",
    requests(Purpose.OPEN_CHANNEL),
    remembers=_Channels,
)
def second_channel(at: At[_Channels]) -> Findings:
    channel, given = at.message.row.opens, at.memory.given_in
    if channel is None or not at.event.descriptors:
        return
    before = given.setdefault(channel, at.frame)
    if before != at.frame:
        given[channel] = at.frame
        yield at.finding(
            f"{at.name} opens the {channel.label} channel again ({at.event.descriptors[0].name}, first in #{before}): "
            "the back-end leaks or closes the earlier one, and its messages arrive where they are not expected",
            frames=(before,),
        )
