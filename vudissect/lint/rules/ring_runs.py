"""VU-VRG-09, -10, -18, -19: how rings are started, used and stopped across messages."""

from dataclasses import field

from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.memory import memory
from vudissect.lint.positions import is_beginning, is_packed, position_text
from vudissect.lint.rule import SPEC, Findings, RuleBook, ending, requests
from vudissect.lint.runs import (
    MOST_LISTED,
    STARTS_AND_STOPS,
    Run,
    has_not_moved,
    list_text,
    purpose_of,
    ring_of,
)
from vudissect.lint.words import SECOND, time_text
from vudissect.protocol.devices import device_by_name, is_auxiliary
from vudissect.protocol.features import F_PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.purpose import Purpose
from vudissect.session.rings import Enabled, Ring, Started

RULES = RuleBook()

_NET, _BLK = device_by_name("net"), device_by_name("blk")
# Firmware acknowledges none of these.
_OF_SYSTEMS = VIRTIO_FEATURES.mask("INDIRECT_DESC", "EVENT_IDX", "RING_PACKED")
_LONG = 10 * SECOND


@memory
class _Starts:
    """The current run, when rings got their kick descriptors (ns), and which were enabled or disabled by message."""

    run: Run = field(default_factory=Run)
    kicked: dict[int, int] = field(default_factory=dict)
    ordered: set[int] = field(default_factory=set)


@RULES.rule(
    "VU-VRG-09",
    Severity.ERROR,
    "a ring that is started is also enabled, and the back-end then processes it",
    f"{SPEC}, Ring states; rust-vmm vhost PR 227 and 375",
    STARTS_AND_STOPS | ending(),
    remembers=_Starts,
)
def started_means_used(at: At[_Starts]) -> Findings:
    purpose, ring = purpose_of(at), None if at.over else ring_of(at)
    at.memory.run.follow(at)
    if at.over:
        yield from _never_enabled(at, _started(at))
    elif ring is None:
        return
    elif at.message.reply:
        yield from _not_used(at, ring)
    elif purpose is Purpose.STOP_RING and ring.stopped_in == at.frame:
        # The others will be stopped as well: it is one fault.
        yield from _never_enabled(at, [ring, *_started(at)])
    elif purpose is Purpose.SET_KICK:
        at.memory.kicked[ring.index] = at.time
    elif purpose is Purpose.ENABLE_RING:
        at.memory.ordered.add(ring.index)


def _started(at: At) -> list[Ring]:
    return [ring for ring in at.after.rings.values() if ring.started is Started.STARTED]


def _never_enabled(at: At[_Starts], rings: list[Ring]) -> Findings:
    # A ring that was disabled by message is unused on purpose: a guest need not use all of them.
    state, starts = at.after, at.memory
    waiting = [
        ring
        for ring in rings
        if ring.enabled is Enabled.DISABLED
        and ring.index not in starts.ordered
        and at.time - starts.kicked.get(ring.index, at.time) >= SECOND
    ]
    if not state.whole or not state.features.has(F_PROTOCOL_FEATURES):
        return
    if state.guess.device is _NET and any(ring.enabled is Enabled.ENABLED for ring in state.rings.values()):
        return  # the driver does not use these queue pairs (VU-VRG-18)
    if waiting and at.first():
        duration = at.time - max(starts.kicked[ring.index] for ring in waiting)
        kicks = tuple(ring.slots[Purpose.SET_KICK].frame for ring in waiting[:MOST_LISTED])
        yield at.finding(
            f"{list_text(waiting)} started, but not enabled within {time_text(duration)}: with PROTOCOL_FEATURES "
            "acknowledged the back-end must not process a ring before that",
            Blame.FRONT_END,
            frame=kicks[0],
            frames=kicks[1:],
        )


def _not_used(at: At[_Starts], ring: Ring) -> Findings:
    state, run = at.after, at.memory.run
    by_rule = state.features.acked is not None and not state.features.has(F_PROTOCOL_FEATURES)
    if run.is_over(at):
        at.memory.run = Run()
        if by_rule and run.is_idle(at):
            # Circumstantial: the guest may not have sent any request.
            yield at.finding(
                f"the back-end took nothing from {list_text(run.rings(at))} in "
                f"{time_text(at.time - run.began(at))}: without PROTOCOL_FEATURES a started ring is enabled, without a "
                "message to enable it",
                Blame.BACK_END,
                frame=min(each.runs_since for each in run.rings(at)),
                frames=(at.frame,),
                severity=Severity.WARNING,
            )
            return
        waited = at.time - run.began(at)
        unsignalled = [each for each in run.rings(at) if _is_without_call(each, waited)]
        if run.is_idle(at) and len(unsignalled) == len(run.rings(at)):
            yield at.finding(
                f"the back-end took nothing from {list_text(unsignalled)} in {time_text(waited)}, started and enabled "
                "but without a call descriptor: a driver that polls needs none, and a back-end must still serve its "
                "rings (rust-vmm did not before a94e14e)",
                Blame.BACK_END,
                frame=min(each.runs_since for each in unsignalled),
                frames=(at.frame,),
                severity=Severity.WARNING,
            )
            return
        if run.is_idle(at) and waited >= _LONG and _reads_at_once(at, run):
            # Circumstantial: a disk need not be used.
            yield at.finding(
                f"the back-end took nothing from {list_text(run.rings(at))} in {time_text(waited)}, although a driver "
                "that was just started reads from its disk at once"
                + ("; the ring is packed: a back-end that offers this must read it so" if is_packed(state) else ""),
                Blame.BACK_END,
                frame=min(each.runs_since for each in run.rings(at)),
                frames=(at.frame,),
                severity=Severity.WARNING,
            )
            return
    long = ring in run and at.time - ring.began >= SECOND
    if ring.base and long and has_not_moved(ring):
        yield at.finding(
            f"ring {ring.index} started at {position_text(state, ring.base)} and stopped there after "
            f"{time_text(at.time - ring.began)}: if buffers were waiting in it, the back-end did not process them",
            Blame.BACK_END,
            frame=ring.runs_since,
            frames=(at.frame,),
            severity=Severity.INFO,
        )


def _reads_at_once(at: At, run: Run) -> bool:
    """Whether this is a disk, with the driver of a system, which was just started: firmware need not read from it."""
    of_systems = bool((at.after.features.acked or 0) & _OF_SYSTEMS)
    begins = all(is_beginning(at.after, ring.base or 0) for ring in run.rings(at))
    # If nothing confirmed the start, the first notification may have been lost (VU-VRG-20).
    return at.after.guess.device is _BLK and of_systems and begins and not run.unconfirmed(at)


def _is_without_call(ring: Ring, waited: int) -> bool:
    """Whether the ring has no call descriptor: it was set to none, or not set in a time (ns) that is long."""
    call = ring.slots[Purpose.SET_CALL]
    return not call.name and (call.nofd or waited >= _LONG)


@memory
class _UsedAgain:
    """A stopped ring that is set up or enabled again, since which frame and when (ns)."""

    ring: Ring
    frame: int
    since: int
    enabled: bool = False


@memory
class _Again:
    """The stopped rings that are used again but not started again yet, by index."""

    rings: dict[int, _UsedAgain] = field(default_factory=dict)


@RULES.rule(
    "VU-VRG-10",
    Severity.WARNING,
    "a stopped ring is started again before it is used again",
    f"{SPEC}, Ring states; libvhost-user and DPDK close the kick descriptor of a stopped ring",
    requests(Purpose.SET_RING_ADDRESSES, Purpose.ENABLE_RING, Purpose.SET_KICK, Purpose.STOP_RING) | ending(),
    remembers=_Again,
)
def started_again(at: At[_Again]) -> Findings:
    used, purpose = at.memory.rings, purpose_of(at)
    if at.over:
        yield from _not_started_again(at, list(used.values()))
        return
    ring = ring_of(at)
    if ring is None:
        return
    if purpose is Purpose.SET_KICK:
        used.pop(ring.index, None)
    elif purpose is Purpose.STOP_RING:
        if ring.index in used:
            yield from _not_started_again(at, [used.pop(ring.index)])
    elif ring.stopped_in and ring.started is Started.STOPPED:
        enabled = purpose is Purpose.ENABLE_RING and ring.enabled is Enabled.ENABLED
        # QEMU enables the rings of a network device whenever its driver is reset, started or not.
        if purpose is Purpose.SET_RING_ADDRESSES or (enabled and at.after.guess.device is not _NET):
            again = used.setdefault(ring.index, _UsedAgain(ring, at.frame, at.time))
            again.enabled = again.enabled or enabled


def _not_started_again(at: At, used: list[_UsedAgain]) -> Findings:
    # Addresses may be a start that goes on after the capture, and QEMU enables rings in the reset of its exit.
    forgotten = [again for again in used if at.time - again.since >= SECOND]
    if not forgotten:
        return
    stops = tuple(again.ring.stopped_in for again in forgotten[:MOST_LISTED])
    rings = list_text(again.ring for again in forgotten)
    what = "enabled" if any(again.enabled for again in forgotten) else "set up"
    others = [
        ring
        for ring in at.after.rings.values()
        if ring.started is Started.STARTED and ring.slots[Purpose.SET_KICK].frame > max(stops)
    ]
    if others:
        # A guest uses fewer queues after a reboot like this, but back-ends have mistaken it for a start.
        yield at.finding(
            f"{rings}: {what} again after the stop in #{stops[0]}, but only {list_text(others)} started again; a "
            "back-end must not use the others, their addresses may be old",
            Blame.BACK_END,
            frame=forgotten[0].frame,
            frames=stops,
            severity=Severity.INFO,
        )
    else:
        yield at.finding(
            f"{rings}: {what} again after the stop in #{stops[0]}, but without a new kick descriptor it stays stopped",
            Blame.FRONT_END,
            frame=forgotten[0].frame,
            frames=stops,
        )


@RULES.rule(
    "VU-VRG-18",
    Severity.INFO,
    "a guest need not use all rings: a back-end must not wait for the others",
    "DPDK e291093235, c20c5e9f88; SPDK 1ecbb6a8da",
    ending(),
)
def partly_used(at: At) -> Findings:
    # At the end: firmware uses the first rings only, the system that it starts may use all.
    rings = at.after.rings.values()
    if not 0 < at.after.rings.used < len(rings) or not at.after.whole:
        return
    used, unused = ([ring for ring in rings if bool(ring.runs_since) is ran] for ran in (True, False))
    device = at.after.guess.device
    if any(device is None or not is_auxiliary(device, ring.index, len(rings)) for ring in unused):
        yield at.finding(
            f"of {len(rings)} rings only {list_text(used)} ran, not {list_text(unused)}: SeaBIOS, iPXE and guests "
            "without multi-queue use only the first ones, and a back-end that waits for all of them does nothing",
            Blame.BACK_END,
            frame=used[0].runs_since,
        )


@RULES.rule(
    "VU-VRG-19",
    Severity.INFO,
    "rings are enabled after all of them are configured; earlier is legal, but some back-ends act on it",
    f"{SPEC}, Ring states; cloud-hypervisor issue 2911 with DPDK",
    requests(Purpose.ENABLE_RING, Purpose.SET_RING_SIZE, Purpose.SET_RING_ADDRESSES),
    usual=True,
)
def enabled_early(at: At) -> Findings:
    ring, state = ring_of(at), at.after
    if ring is None or not state.whole:
        return
    if purpose_of(at) is Purpose.ENABLE_RING:
        missing = [what for what, value in (("size", ring.size), ("addresses", ring.addresses)) if value is None]
        if ring.started is Started.STOPPED and not ring.slots[Purpose.SET_KICK].epoch:
            missing.append("kick descriptor")
        if at.fields["num"] and missing and at.first():
            yield at.finding(f"ring {ring.index} is enabled before it has its {', '.join(missing)}", Blame.UNKNOWN)
    elif (
        not ring.slots[Purpose.SET_KICK].epoch
        and state.features.has(F_PROTOCOL_FEATURES)
        and state.rings.running
        and at.first()
    ):
        running = [other for other in state.rings.values() if other.running]
        yield at.finding(
            f"ring {ring.index} is configured only after {list_text(running)} can run: a back-end that "
            "counts its rings when the first one is enabled misses it (DPDK did)",
            frames=(running[0].runs_since,),
            severity=Severity.COMPAT,
        )
