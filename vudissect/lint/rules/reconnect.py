"""VU-RCN: what stays the same after a reconnect: the driver was not reset, and continues where it is."""

from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.memory import memory
from vudissect.lint.rule import SPEC, Findings, RuleBook, ending, requests
from vudissect.lint.runs import ring_of
from vudissect.protocol.devices import feature_names
from vudissect.protocol.features import F_LOG_ALL, F_PROTOCOL_FEATURES, F_RING_PACKED
from vudissect.protocol.purpose import Purpose
from vudissect.session.state import State

RULES = RuleBook()

# They belong to the front-end, not to the driver.
_OWN_BITS = F_LOG_ALL | F_PROTOCOL_FEATURES
_MOST_LISTED = 4


@memory
class LastConnection:
    """The state of the last connection and the frame of its end, if it ended with rings started."""

    state: State | None = None
    frame: int = 0


def _goes_on(at: At) -> tuple[State, int] | None:
    """The state of the last connection and the frame of its end, if the driver continues from there.

    At the end of a connection it becomes the last one.
    """
    last = at.lasting(LastConnection)
    if at.over:
        if at.after.rings.were_started:
            last.state, last.frame = at.after if at.after.rings.started else None, at.frame
        return None
    if last.state is None or not at.after.whole or last.state.programs[0] != at.after.programs[0]:
        return None
    return last.state, last.frame


@RULES.rule(
    "VU-RCN-01",
    Severity.ERROR,
    "after a reconnect the rings are started with the features that the driver negotiated before",
    f"{SPEC}, Communication: reconnection; QEMU c9bdc449f9, a463215b08",
    requests(Purpose.SET_KICK) | ending(),
)
def features_kept(at: At) -> Findings:
    before, now = _goes_on(at), at.after.features
    if before is None or now.acked is None or before[0].features.acked is None or not at.first():
        return
    state, frame = before
    old = (state.features.acked or 0) & ~_OWN_BITS
    gone, new = old & ~now.acked, now.acked & ~_OWN_BITS & ~old
    if not gone and not new:
        return
    device = at.after.guess.device or state.guess.device
    changes = [
        f"{' '.join(feature_names(device, bits))} {verb}" for bits, verb in ((gone, "gone"), (new, "new")) if bits
    ]
    withdrawn = gone & ~(now.offered if now.offered is not None else gone)
    text = f"; the back-end no longer offers {' '.join(feature_names(device, withdrawn))}" if withdrawn else ""
    yield at.finding(
        f"the features are not those of the last connection (#{state.features.acked_in}): {', '.join(changes)}{text}; "
        f"its rings were not stopped before it ended in #{frame}, so the driver was not reset and continues as before",
        Blame.BACK_END if withdrawn else Blame.FRONT_END,
        frame=now.acked_in,
        frames=(state.features.acked_in, frame),
    )


@RULES.rule(
    "VU-RCN-02",
    Severity.ERROR,
    "after a reconnect a ring keeps its size and continues where it was",
    f"{SPEC}, Communication: reconnection; QEMU hw/virtio/vhost.c reads the position from the used ring",
    requests(Purpose.SET_KICK) | ending(),
)
def rings_kept(at: At) -> Findings:
    before = _goes_on(at)
    ring = ring_of(at) if before is not None else None
    if ring is None or before is None or before[0].features.acked != at.after.features.acked:
        return  # other features are VU-RCN-01's
    state, frame = before
    old = state.rings.get(ring.index)
    if old is None or not old.runs_since or not at.first(ring.index):
        return
    if old.size and ring.size and old.size != ring.size:
        yield at.finding(
            f"ring {ring.index} has {ring.size} entries but had {old.size} on the last connection, whose rings were "
            f"not stopped before it ended in #{frame}: the driver still uses {old.size}",
            frames=(old.runs_since, frame),
        )
    elif ring.base == 0 and old.base and at.after.inflight is None and not at.after.features.has(F_RING_PACKED):
        yield at.finding(
            f"ring {ring.index} starts at 0 again, although it was at {old.base} when the last connection started "
            f"it (#{old.runs_since}) and was not stopped since: the driver continues where it is, and waits forever",
            frames=(old.runs_since, frame),
        )


@RULES.rule(
    "VU-RCN-03",
    Severity.WARNING,
    "after a reconnect the back-end gets the same guest memory",
    f"{SPEC}, Communication: reconnection",
    requests(Purpose.SET_KICK) | ending(),
)
def memory_kept(at: At) -> Findings:
    before = _goes_on(at)
    if before is None or not at.after.memory.regions or not at.after.knows_memory or not at.first():
        return
    state, frame = before
    now = at.after.memory.by_guest
    missing = [
        region
        for region in state.memory.regions
        if region.size and (now.at(region.guest_addr) is None or now.at(region.guest_addr + region.size - 1) is None)
    ]
    if missing:
        listed = ", ".join(
            f"{region.guest_addr:#x} to {region.guest_addr + region.size:#x}" for region in missing[:_MOST_LISTED]
        )
        yield at.finding(
            f"the rings are started without guest memory that the last connection had ({listed}): its driver was not "
            f"reset before it ended in #{frame}, and may have buffers there",
            frames=(state.memory.changed_in, frame),
        )
