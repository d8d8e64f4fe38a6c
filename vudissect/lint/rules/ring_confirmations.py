"""VU-VRG-12, -20, -21: whether a front-end waits until its changes to a ring are in effect."""

from dataclasses import field

from vudissect.capture.record import RecordKind
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.hang import left_by
from vudissect.lint.memory import memory
from vudissect.lint.rule import Findings, RuleBook, ending, events, requests
from vudissect.lint.runs import (
    MOST_LISTED,
    STARTS_AND_STOPS,
    Run,
    is_unconfirmed,
    list_text,
    purpose_of,
    ring_of,
)
from vudissect.lint.words import SECOND, time_text
from vudissect.protocol.features import F_PROTOCOL_FEATURES
from vudissect.protocol.model import Side
from vudissect.protocol.purpose import Purpose
from vudissect.session.rings import Ring
from vudissect.wire.header import NEED_REPLY

RULES = RuleBook()


def _is_replaced_in_use(at: At, ring: Ring) -> bool:
    """Whether the message replaces a descriptor of a ring that has been running for a while.

    Right after the start front-ends replace the descriptors that were for the time before it, and lose nothing by it.
    """
    settled = not is_unconfirmed(at, ring) or at.time - ring.began >= SECOND
    return bool(at.event.replaced) and ring.running and ring.runs_since < at.frame and settled


def _is_acknowledged(at: At) -> bool:
    return bool(at.message.flags & NEED_REPLY) and at.after.has("REPLY_ACK")


def _could_be_asked_for(at: At) -> bool:
    """Whether the front-end chose not to use acknowledgements that the back-end offers."""
    return at.after.has("REPLY_ACK") or at.after.offers("REPLY_ACK")


def _replacement(at: At, ring: Ring) -> str:
    slot = ring.slots[at.message.row.purpose]
    return (
        f"{at.event.replaced} of ring {ring.index} becomes {slot.name or 'none'} (its no. {slot.epoch}) while it runs"
    )


@memory
class _Replaced:
    """For each ring whose call descriptor was replaced with an acknowledgement, the frame, and what was replaced."""

    rings: dict[int, tuple[int, str]] = field(default_factory=dict)


@RULES.rule(
    "VU-VRG-12",
    Severity.WARNING,
    "the call descriptor of a running ring stays: signals on a replaced one are lost unless the back-end repeats them",
    "QEMU 1ba9a52203; SPDK dbe47004e5; libvhost-user signals the new descriptor once",
    requests(Purpose.SET_CALL) | events(RecordKind.CONNECTION_CLOSED),
    remembers=_Replaced,
)
def call_replaced(at: At[_Replaced]) -> Findings:
    if at.over:
        yield from _given_up(at)
        return
    ring = ring_of(at)
    if ring is None or not _is_replaced_in_use(at, ring):
        return
    if _is_acknowledged(at):
        at.memory.rings[ring.index] = (at.frame, _replacement(at, ring))
    elif at.after.lacks("REPLY_ACK"):  # else it could have been acknowledged (VU-VRG-21), or that is not known
        yield at.finding(
            f"call descriptor {_replacement(at, ring)}: nothing shows when the back-end uses the new one, and signals "
            "on the old one are lost",
            Blame.FRONT_END if _could_be_asked_for(at) else Blame.BACK_END,
            frames=(ring.runs_since,),
        )


def _given_up(at: At[_Replaced]) -> Findings:
    """A finding where the front-end gave up while a ring ran, whose call descriptor the back-end has acknowledged.

    That is as it should be, unless the back-end goes on with the old one; where the ring is stopped in order it is not
    likely.
    """
    if left_by(at) != Side.FRONT_END.label:
        return
    for index, (frame, replacement) in at.memory.rings.items():
        ring = at.after.rings.get(index)
        if ring is not None and ring.running and ring.slots[Purpose.SET_CALL].frame == frame:
            yield at.finding(
                f"call descriptor {replacement}, and the front-end gives up while it does: if the guest hung, the "
                "back-end may go on signalling the old one",
                Blame.BACK_END,
                frame=frame,
                frames=(ring.runs_since,),
                severity=Severity.INFO,
            )
            return


def _unconfirmed_starts(at: At[Run]) -> Findings:
    """Starts of rings without a later request whose answer would show that the back-end got that far.

    Many front-ends start rings like this, and usually it works. It is a warning where it did not: nothing was taken
    from any ring. If the rings run to the end, the outcome is unknown. Rings that are enabled without a message are
    for VU-VRG-09.
    """
    run = at.memory
    run.follow(at)
    if not at.after.features.has(F_PROTOCOL_FEATURES):
        return
    if at.over:
        # What was seen in a ring is for VU-OBS.
        rings = [ring for ring in run.rings(at) if ring.running and is_unconfirmed(at, ring) and ring.seen is None]
        severity, outcome = (
            Severity.INFO,
            "if the device hangs, the first request of the driver may have come too early",
        )
    elif at.message.reply and run.is_over(at):
        at.restart()
        rings = run.unconfirmed(at) if run.is_idle(at) else []
        severity = Severity.WARNING
        outcome = (
            f"the back-end took nothing from any ring in {time_text(at.time - run.began(at))}: the first "
            "request may have been dropped"
        )
    else:
        return
    if rings:
        frames = sorted({ring.runs_since for ring in rings})[:MOST_LISTED]
        yield at.finding(
            f"nothing confirms the start of {list_text(rings)}, neither an acknowledgement nor the answer to a later "
            f"request; {outcome}",
            Blame.FRONT_END if _could_be_asked_for(at) else Blame.BACK_END,
            frame=frames[0],
            frames=tuple(frames[1:]),
            severity=severity,
        )


@RULES.rule(
    "VU-VRG-20",
    Severity.WARNING,
    "with REPLY_ACK negotiated, a front-end waits until a ring is enabled before it lets the driver continue",
    "QEMU d7dc0682f5 (8.2)",
    STARTS_AND_STOPS | ending(),
    remembers=Run,
    usual=True,
)
def enable_confirmed(at: At[Run]) -> Findings:
    if at.after.has("REPLY_ACK"):
        yield from _unconfirmed_starts(at)


@RULES.rule(
    "VU-VRG-21",
    Severity.WARNING,
    "a front-end waits until a new descriptor of a running ring is in use, and a back-end offers REPLY_ACK for that",
    "QEMU 1ba9a52203 (10.2); vhost-device PR 153",
    STARTS_AND_STOPS | requests(Purpose.SET_CALL, Purpose.SET_ERR) | ending(),
    remembers=Run,
    usual=True,
)
def descriptor_confirmed(at: At[Run]) -> Findings:
    if not at.after.has("REPLY_ACK"):
        if at.after.protocol_features.offered is not None and purpose_of(at) not in (Purpose.SET_CALL, Purpose.SET_ERR):
            yield from _unconfirmed_starts(at)
        return
    purpose, ring = purpose_of(at), None if at.over else ring_of(at)
    if ring is None or purpose in (Purpose.ENABLE_RING, Purpose.STOP_RING) or not _is_replaced_in_use(at, ring):
        return
    if not _is_acknowledged(at):
        yield at.finding(
            f"{_replacement(at, ring)}, without NEED_REPLY: between the two a notification can be lost",
            frames=(ring.runs_since,),
        )
