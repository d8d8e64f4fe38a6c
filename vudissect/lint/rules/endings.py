"""VU-END: connections that end unexpectedly, even if no answer is due."""

from vudissect.capture.record import Mark, RecordKind
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.lint.hang import left_by
from vudissect.lint.lawful import remarks
from vudissect.lint.rule import SLOW, SPEC, Findings, RuleBook, events
from vudissect.lint.runs import list_text
from vudissect.lint.words import count_text, event_text, time_text
from vudissect.protocol.bits import BitSet, set_bits
from vudissect.protocol.model import Channel, Side
from vudissect.protocol.purpose import Purpose
from vudissect.session.event import MessageEvent
from vudissect.session.rings import Started
from vudissect.session.stalls import waits_for_device

RULES = RuleBook()


def _delivered(at: At, side: Side) -> MessageEvent | None:
    """The last message that a side sent on the main channel and the other received."""
    reached = [event for event in at.delivered(Channel.MAIN) if event.record.sender is side]
    return reached[-1] if reached else None


@RULES.rule(
    "VU-END-01",
    Severity.WARNING,
    "a back-end does not close the connection while rings are started",
    f"{SPEC}, Ring states: rings are stopped first, unless the back-end crashes",
    events(RecordKind.CONNECTION_CLOSED),
)
def left_while_running(at: At) -> Findings:
    if left_by(at) != Side.BACK_END.label or not at.after.rings.started or _is_explained(at):
        return
    rings = [ring for ring in at.after.rings.values() if ring.started is Started.STARTED]
    running = "running" if at.after.rings.running else "started"
    last, how = _delivered(at, Side.FRONT_END), at.event.record.details.get("how", "")
    after = ""
    if last is not None:
        waited = time_text(at.time - last.record.received)
        after = f"; the last message it received is {event_text(last)}, {waited} earlier"
    yield at.finding(
        f"the back-end closed the connection ({how}) while {list_text(rings)} {'were' if len(rings) > 1 else 'was'} "
        f"{running}{after}{_left_pending(at)}: it crashed, was stopped, or refuses something it found in a ring",
        Blame.BACK_END,
        frames=(last.record.frame,) if last is not None else (),
    )


def _left_pending(at: At) -> str:
    """What the back-end has not completed, if somebody looked into the rings."""
    found = [
        (ring, ring.seen)
        for ring in at.after.rings.values()
        if ring.started is Started.STARTED and ring.seen is not None and waits_for_device(at.after, ring.seen)
    ]
    if not found:
        return ""
    count = sum(seen.pending or 0 for _, seen in found)
    _, oldest = max(found, key=lambda each: each[1].waited)
    what = f", the oldest of them {oldest.request}" if oldest.request else ""
    return (
        f"; {time_text(at.time - oldest.time)} earlier {count_text(count, 'request')} {'were' if count > 1 else 'was'} "
        f"pending in {list_text(ring for ring, _ in found)}, for {time_text(oldest.waited)}{what}"
    )


def _is_explained(at: At) -> bool:
    """Whether another rule explains the end, with an answer that is due or a message that was not received."""
    return bool(at.unanswered) or any(event.record.marks & Mark.NOT_FORWARDED for event in at.recent(Channel.MAIN))


@RULES.rule(
    "VU-END-02",
    Severity.WARNING,
    "a front-end that has read an answer continues the set-up",
    "virtio specification, Feature Bits: unknown bits are ignored; rust-vmm vhost PR 243, crosvm 34605332e",
    events(RecordKind.CONNECTION_CLOSED),
)
def left_after_answer(at: At) -> Findings:
    state, delivered = at.after, at.delivered(Channel.MAIN)
    if left_by(at) != Side.FRONT_END.label or not state.whole or state.features.acked is not None or not delivered:
        return
    last = delivered[-1]
    message, request = last.message, last.request
    waited = at.time - last.record.received
    if not message.reply or not message.row.known or request is None or waited >= SLOW:
        return
    if message.problem or any(finding.severity is not Severity.INFO for finding in at.found_in(last.record.frame)):
        return  # that rule explains it
    yield _left(at, last, waited)


def _left(at: At, last: MessageEvent, waited: int) -> Finding:
    odd = _what_is_odd(at, last)
    return at.finding(
        f"the front-end closed the connection {time_text(waited)} after the answer {event_text(last)}, before the "
        f"device was set up{odd}",
        Blame.FRONT_END,
        frame=last.record.frame,
        frames=(at.frame,),
    )


def _what_is_odd(at: At, last: MessageEvent) -> str:
    """What may have made it stop: bits that are new or unknown."""
    state = at.after
    if last.message.row.purpose is Purpose.OFFER_PROTOCOL_FEATURES:
        bits, offered = state.protocol.protocol_features, state.protocol_features.offered or 0
    else:
        return "".join(f": {remark}" for remark in remarks(last, state))
    newest = _newest(bits, offered)
    return (
        f"; {newest} of the offer: a receiver must ignore bits that it does not know and acknowledge the others"
        if newest
        else ""
    )


def _newest(bits: BitSet, word: int) -> str:
    unknown = [number for number in set_bits(word) if number not in bits.by_number]
    if unknown:
        return f"bit {unknown[-1]} is an unknown bit"
    known = [bits.by_number[number] for number in set_bits(word)]
    if not known:
        return ""
    latest = max(known, key=lambda bit: (bit.since.numbers, bit.number))
    return f"{latest.name} (bit {latest.number}, since {latest.since}) is the newest bit"
