"""VU-MEM-05 and VU-VRG-05, -16, -17: where rings are in memory."""

from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.memory import memory
from vudissect.lint.ring_layout import MOST_ENTRIES, parts_of
from vudissect.lint.rule import SPEC, Findings, RuleBook, ending, requests
from vudissect.lint.runs import purpose_of
from vudissect.lint.words import SECOND
from vudissect.protocol.features import F_ACCESS_PLATFORM, F_LOG_ALL, F_RING_PACKED
from vudissect.protocol.purpose import Purpose
from vudissect.session.rings import Ring

RULES = RuleBook()


_SPLIT_ALIGNMENT = {"desc": 16, "avail": 2, "used": 4}
_PACKED_ALIGNMENT = {"desc": 16, "avail": 4, "used": 4}
_MOST_LISTED = 4


def _ring(at: At) -> Ring | None:
    """The ring that the message is about, with addresses."""
    ring = at.after.rings.get(at.fields.get("index", -1))
    return ring if ring is not None and ring.addresses is not None else None


@RULES.rule(
    "VU-MEM-05",
    Severity.ERROR,
    "the parts of a ring are in a memory region",
    f"{SPEC}, Memory access; VPP closes the socket, DPDK and rust-vmm refuse the ring",
    requests(Purpose.SET_RING_ADDRESSES),
)
def ring_in_memory(at: At) -> Findings:
    state, ring = at.after, _ring(at)
    # Without regions, VU-VRG-05 reports it; with an IOMMU, addresses are translated later.
    if ring is None or ring.addresses is None or not state.memory.regions or not state.knows_memory:
        return
    if state.features.acked is None or state.features.has(F_ACCESS_PLATFORM):
        return
    if state.protocol_features.acked is None and not state.whole:
        return
    entries = ring.size if ring.size in range(MOST_ENTRIES + 1) else None
    for part, (start, size) in parts_of(state, ring.addresses, entries or 0).items():
        last = start + max(size, 1) - 1
        place, last_place = state.ring_address(start), state.ring_address(last)
        if place is None:
            yield at.finding(
                f"{part} of ring {ring.index}, {start:#x}, is not in any memory region (known: {_regions_text(at)})"
                f"{_in_other_addresses(at, start)}",
                frames=(state.memory.changed_in,),
            )
            return
        if last_place is None or last_place.region is not place.region:
            yield at.finding(
                f"{part} of ring {ring.index}, {entries} entries from {start:#x}, runs past the end of region "
                f"{place.region.number}",
                frames=(place.region.frame,),
            )


def _regions_text(at: At) -> str:
    """The regions, in the address space of ring addresses."""
    state = at.after
    by_guest, regions = state.uses_guest_addresses, state.memory.regions
    starts = [(region.guest_addr if by_guest else region.user_addr, region.size) for region in regions[:_MOST_LISTED]]
    more = f" and {len(regions) - _MOST_LISTED} more" if len(regions) > _MOST_LISTED else ""
    return ", ".join(f"{start:#x} to {start + size:#x}" for start, size in starts) + more


def _in_other_addresses(at: At, address: int) -> str:
    """A hint if an address would be valid in the address space that was not negotiated."""
    state = at.after
    features = state.protocol.protocol_features
    name = "GPA_ADDRESSES"
    if not features.known(name):
        return ""
    bit = f"{name} (bit {features.numbers[name]})"
    if state.uses_guest_addresses:
        place = state.memory.by_user_address(address)
        return (
            f"; it is a user address in region {place.region.number}, although {bit} is acknowledged" if place else ""
        )
    place = state.memory.by_guest_address(address)
    return f"; it is a guest address in region {place.region.number}, without {bit}" if place else ""


@RULES.rule(
    "VU-VRG-05",
    Severity.ERROR,
    "the addresses of a ring are sent after the memory that they are in, and again after a stop and a memory change",
    f"{SPEC}, Memory access; rust-vmm refuses; DPDK 1846fe767f, SPDK 37e6827a85",
    requests(Purpose.SET_RING_ADDRESSES, Purpose.SET_KICK),
)
def addresses_after_memory(at: At) -> Findings:
    state, ring, row = at.after, _ring(at), at.message.row
    if ring is None or ring.addresses is None or state.features.has(F_ACCESS_PLATFORM):
        return
    set_in, changed = ring.addresses.frame, state.memory.changed_in
    if row.purpose is Purpose.SET_RING_ADDRESSES:
        if not state.memory.regions and state.knows_memory:
            yield at.finding(
                f"ring {ring.index} gets addresses (desc {ring.addresses.desc:#x}) before any memory region, so the "
                "back-end cannot translate them"
            )
    elif set_in < ring.stopped_in < changed:
        yield at.finding(
            f"ring {ring.index} is started with the addresses of #{set_in} (desc {ring.addresses.desc:#x}), but it was "
            f"stopped in #{ring.stopped_in} and the memory changed in #{changed}: they are stale",
            frames=(set_in, ring.stopped_in, changed),
        )


@memory
class _Log:
    """Why the log needs memory ("" if it does not), since when (ns) and which frame, and whether any was sent."""

    why: str = ""
    since: int = 0
    frame: int = 0
    given: bool = False


@RULES.rule(
    "VU-VRG-16",
    Severity.ERROR,
    "if writes must be logged, the back-end has memory for the log",
    f"{SPEC}, Migration",
    requests(Purpose.SET_RING_ADDRESSES, Purpose.ACK_FEATURES, Purpose.SET_LOG, Purpose.STOP_RING) | ending(),
    remembers=_Log,
)
def log_memory(at: At[_Log]) -> Findings:
    # The log may come last: QEMU sends the features first, then the addresses, then the log.
    log, purpose, why = at.memory, purpose_of(at), ""
    if purpose is Purpose.SET_LOG:
        log.given = True
    elif purpose is Purpose.ACK_FEATURES:
        why = log.why = "LOG_ALL is acknowledged" if at.fields.get("features", 0) & F_LOG_ALL else ""
    elif purpose is Purpose.SET_RING_ADDRESSES:
        ring = _ring(at)
        if ring is not None and ring.addresses is not None and ring.addresses.logged and not log.why:
            why = log.why = f"the addresses of ring {ring.index} have the LOG flag"
    elif log.why and not log.given and at.after.whole and _is_due(at, log):
        yield at.finding(f"{log.why}, but no memory for the log is ever sent", Blame.FRONT_END, frame=log.frame)
    if why:
        log.frame, log.since = at.frame, at.time


def _is_due(at: At[_Log], log: _Log) -> bool:
    """Whether the log should have been sent by now; true once."""
    return (purpose_of(at) is Purpose.STOP_RING or at.time - log.since >= SECOND) and at.first()


@RULES.rule(
    "VU-VRG-17",
    Severity.WARNING,
    "the parts of a ring are aligned: descriptors to 16, avail to 2 and used to 4 bytes, both to 4 if packed",
    "virtio specification, Virtqueues; rust-vmm refuses others",
    requests(Purpose.SET_RING_ADDRESSES),
)
def alignment(at: At) -> Findings:
    ring = _ring(at)
    if ring is None or ring.addresses is None:
        return
    wanted = _PACKED_ALIGNMENT if at.after.features.has(F_RING_PACKED) else _SPLIT_ALIGNMENT
    odd = [
        f"{part} {start:#x} is not a multiple of {wanted[part]}"
        for part, (start, _) in parts_of(at.after, ring.addresses, 0).items()
        if start % wanted[part]
    ]
    if odd:
        yield at.finding(f"ring {ring.index}: {', '.join(odd)}")
