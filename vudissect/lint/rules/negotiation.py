"""VU-NEG: features that are offered and acknowledged, and used by later messages."""

from collections.abc import Iterator
from functools import cache

from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.gates import lacking
from vudissect.lint.memory import LastFrame, memory
from vudissect.lint.rule import SLOW, SPEC, Findings, RuleBook, ending, replies, requests
from vudissect.protocol.bits import set_bits
from vudissect.protocol.devices import feature_names
from vudissect.protocol.devices.network import NET
from vudissect.protocol.dialects import DIALECTS
from vudissect.protocol.features import F_LOG_ALL, F_PROTOCOL_FEATURES
from vudissect.protocol.model import Channel
from vudissect.protocol.purpose import Purpose
from vudissect.session.rings import Started
from vudissect.wire.header import NEED_REPLY

RULES = RuleBook()

_NET_MQ = NET.features.mask("MQ")

# Features of a draft that change what both sides do: VU-NEG-14 is about acknowledging them without an offer.
_BOTH_OR_NONE = ("REPLY_ALL", "MUST_RUN")
# All that QEMU 2.7 to 2.9 can acknowledge.
_QEMU_2_9 = ("MQ", "LOG_SHMFD", "RARP", "REPLY_ACK", "MTU")
# Older conflicts between numbers no longer matter: none of those peers are in use.
_CONTESTED_SINCE = "2022"


@RULES.rule(
    "VU-NEG-01",
    Severity.ERROR,
    "the front-end acknowledges only features that the back-end offers",
    f"{SPEC}, SET_FEATURES; DPDK ('received invalid negotiated features') and rust-vmm (InvalidParam) refuse others",
    requests(Purpose.ACK_FEATURES),
)
def unoffered_features(at: At) -> Findings:
    features = at.after.features
    if features.offered is not None and (unoffered := at.fields.get("features", 0) & ~features.offered):
        names = " ".join(feature_names(at.after.guess.device, unoffered))
        yield at.finding(
            f"{at.name} acknowledges {names}, which the back-end did not offer in #{features.offered_in}: "
            "DPDK and rust-vmm refuse the whole message",
            frames=(features.offered_in,),
        )


@RULES.rule(
    "VU-NEG-02",
    Severity.ERROR,
    "the front-end acknowledges only protocol features that the back-end offers",
    f"{SPEC}, SET_PROTOCOL_FEATURES; DPDK refuses others, rust-vmm has panicked on them",
    requests(Purpose.ACK_PROTOCOL_FEATURES),
)
def unoffered_protocol_features(at: At) -> Findings:
    bits, features = at.after.protocol.protocol_features, at.after.protocol_features
    if unoffered := _unoffered(at) & ~bits.known(*_BOTH_OR_NONE):
        yield at.finding(
            f"{at.name} acknowledges {' '.join(bits.names(unoffered))}, which the back-end did not offer in "
            f"#{features.offered_in}: DPDK refuses the message",
            frames=(features.offered_in,),
        )


def _unoffered(at: At) -> int:
    """Protocol features that are acknowledged here but were not offered."""
    offered = at.after.protocol_features.offered
    return at.fields.get("features", 0) & ~offered if offered is not None else 0


@RULES.rule(
    "VU-NEG-03",
    Severity.ERROR,
    "protocol features are negotiated only if PROTOCOL_FEATURES is offered; it need not be acknowledged yet",
    f"{SPEC}, GET_PROTOCOL_FEATURES",
    requests(Purpose.OFFER_PROTOCOL_FEATURES, Purpose.ACK_PROTOCOL_FEATURES),
)
def unoffered_negotiation(at: At) -> Findings:
    lack = lacking(at.after, at.message.row.gate)
    if lack is not None and at.first():
        yield at.finding(
            f"{at.name} is sent although {lack.text}: the back-end need not know this message", frames=lack.frames
        )


@RULES.rule(
    "VU-NEG-04",
    Severity.WARNING,
    "the front-end reads the offered protocol features before it acknowledges any",
    "rust-vmm 14db3cd: before it, REPLY_ACK stays off in a back-end whose offer was not read",
    requests(Purpose.OFFER_PROTOCOL_FEATURES, Purpose.ACK_PROTOCOL_FEATURES),
    remembers=LastFrame,
)
def unasked_protocol_features(at: At[LastFrame]) -> Findings:
    if at.message.row.purpose is Purpose.OFFER_PROTOCOL_FEATURES:
        at.memory.frame = at.frame
    elif not at.memory.frame and at.after.from_start and at.first():
        names = at.after.protocol.protocol_features.names(at.fields.get("features", 0))
        yield at.finding(
            f"{at.name} acknowledges {' '.join(names) or 'nothing'} on a connection on which the offer was never "
            "read: rust-vmm before 14db3cd then does not acknowledge messages that ask for it"
        )


@RULES.rule(
    "VU-NEG-05",
    Severity.WARNING,
    "PROTOCOL_FEATURES is acknowledged wherever protocol features are in use",
    f"{SPEC}, SET_FEATURES: without it all rings are enabled; rust-vmm and OpenVMM read more into it",
    requests(Purpose.ACK_FEATURES),
)
def features_without_protocol_features(at: At) -> Findings:
    protocol_features, word, before = at.after.protocol_features, at.fields.get("features"), at.before.features
    if word is None or word & F_PROTOCOL_FEATURES:
        return
    consequence = "all rings are enabled from here on, without a message to enable them"
    if before.has(F_PROTOCOL_FEATURES):
        yield at.finding(
            f"{at.name} omits PROTOCOL_FEATURES, which was acknowledged in #{before.acked_in}: {consequence}, and "
            "some back-ends also switch off all protocol features",
            frames=(before.acked_in,),
        )
    elif protocol_features.acked and at.first():
        # The front-end may do so, and QEMU before 7.2 did: whether it fails depends on the back-end.
        yield at.finding(
            f"{at.name} omits PROTOCOL_FEATURES although protocol features were acknowledged in "
            f"#{protocol_features.acked_in}: they stay in effect and {consequence}; vhost-user-backend 0.12 and 0.13 "
            "disable a ring again when its kick descriptor arrives",
            Blame.UNKNOWN,
            frames=(protocol_features.acked_in,),
        )


@RULES.rule(
    "VU-NEG-07",
    Severity.INFO,
    "protocol features that are offered but not acknowledged stay unused",
    f"{SPEC}, SET_PROTOCOL_FEATURES",
    requests(Purpose.ACK_PROTOCOL_FEATURES),
    usual=True,
)
def unused_offers(at: At) -> Findings:
    bits, features = at.after.protocol.protocol_features, at.after.protocol_features
    left = (features.offered or 0) & ~at.fields.get("features", 0)
    if left and at.first(left):
        yield at.finding(
            f"the front-end does not use {' '.join(bits.names(left))}, which the back-end offers",
            Blame.UNKNOWN,
            frames=(features.offered_in,),
        )


@RULES.rule(
    "VU-NEG-11",
    Severity.WARNING,
    "features other than LOG_ALL stay as they are while a ring is started",
    f"{SPEC}, SET_FEATURES; DPDK refuses to change them",
    requests(Purpose.ACK_FEATURES),
)
def changed_features(at: At) -> Findings:
    word, before, frame = at.fields.get("features"), at.before.features.acked, at.before.features.acked_in
    if word is None or before is None:
        return
    started = at.after.rings.first_started if (word ^ before) & ~F_LOG_ALL else None
    if started is None:
        return
    device = at.after.guess.device
    changes = [
        f"{verb} {' '.join(feature_names(device, bits & ~F_LOG_ALL))}"
        for verb, bits in (("adds", word & ~before), ("drops", before & ~word))
        if bits & ~F_LOG_ALL
    ]
    yield at.finding(
        f"{at.name} {' and '.join(changes)} since #{frame} while ring {started.index} is started: "
        "stop the rings first, DPDK refuses this",
        frames=(frame,),
    )


@memory
class _Acknowledged:
    """The last memory table that asked for an acknowledgement, and its acknowledgement, as frames; 0 for none."""

    request: int = 0
    answer: int = 0


@RULES.rule(
    "VU-NEG-13",
    Severity.COMPAT,
    "QEMU 2.7 to 2.9 cannot use REPLY_ACK together with several queue pairs",
    "QEMU 60cd11024f; DPDK 04d8122796 and d1c074bd76",
    replies(Purpose.REPLACE_MEMORY) | ending(),
    remembers=_Acknowledged,
)
def reply_ack_with_queue_pairs(at: At[_Acknowledged]) -> Findings:
    """QEMU does not send the memory table for the second pair, but waits for its acknowledgement."""
    if not at.over:
        if at.event.request is not None and at.event.request.flags & NEED_REPLY:
            at.memory.request, at.memory.answer = at.event.request.frame, at.frame
        return
    state, bits, acknowledged = at.after, at.after.protocol.protocol_features, at.memory
    is_suspect = (
        acknowledged.request
        and state.features.has(_NET_MQ)
        and state.protocol_features.has(bits.known("MQ", "REPLY_ACK"))
        and not (state.protocol_features.acked or 0) & ~bits.known(*_QEMU_2_9)
    )
    recent = at.recent(Channel.MAIN)
    if not is_suspect or at.unanswered or not recent or _left_at_once(at, recent[-1].record.received):
        return
    started = [ring.index for ring in state.rings.values() if ring.started is Started.STARTED]
    bare = sorted(ring.index for ring in state.rings.values() if ring.addresses is None)
    if started and bare and min(bare) > max(started):
        yield at.finding(
            f"the front-end falls silent before it sets up ring {bare[0]}, and no answer is due: with MQ and "
            "REPLY_ACK QEMU 2.7 to 2.9 now waits for the acknowledgement of a memory table that it did not send again "
            f"for the next queue pair (sent once in #{acknowledged.request}, acknowledged in #{acknowledged.answer})",
            Blame.FRONT_END,
            frame=recent[-1].record.frame,
            frames=(state.protocol_features.acked_in, acknowledged.request, acknowledged.answer),
        )


def _left_at_once(at: At, since: int) -> bool:
    """Whether the connection was closed too early for a hang to be noticed."""
    return at.event.message is None and at.event.record.received - since < SLOW


@RULES.rule(
    "VU-NEG-14",
    Severity.ERROR,
    "REPLY_ALL and MUST_RUN are in effect on both sides or on none",
    "qemu-devel mailing list, 2015: vhost-user protocol extensions, never merged",
    requests(Purpose.ACK_PROTOCOL_FEATURES),
)
def one_sided(at: At) -> Findings:
    # An offer that is not acknowledged is harmless: then neither side acts on it.
    bits, features = at.after.protocol.protocol_features, at.after.protocol_features
    if alone := _unoffered(at) & bits.known(*_BOTH_OR_NONE):
        yield at.finding(
            f"{at.name} enables {' '.join(bits.names(alone))}, which the back-end did not offer in "
            f"#{features.offered_in}: the front-end waits for answers, or the back-end runs rings, unexpectedly",
            frames=(features.offered_in,),
        )


@RULES.rule(
    "VU-NEG-15",
    Severity.INFO,
    "both sides give a protocol feature bit that was assigned twice the same meaning",
    f"{SPEC} against drafts and forks since {_CONTESTED_SINCE} (docs/dialects.md)",
    requests(Purpose.ACK_PROTOCOL_FEATURES),
)
def contested_feature(at: At) -> Findings:
    bits = at.after.protocol.protocol_features
    for number in set_bits(at.fields.get("features", 0)):
        here = bits.names(1 << number)[0]
        others = [meaning for name, meaning in _meanings(number) if name != here]
        if others and at.first(number):
            yield at.finding(
                f"bit {number} is acknowledged as {here}, but the same bit is {', '.join(others)}", Blame.UNKNOWN
            )


@cache
def _meanings(number: int) -> tuple[tuple[str, str], ...]:
    """The names that current dialects give the protocol feature of this number, and in which dialects, as text."""
    return tuple(_all_meanings(number))


def _all_meanings(number: int) -> Iterator[tuple[str, str]]:
    bits = [(dialect, dialect.protocol.protocol_features.by_number.get(number)) for dialect in DIALECTS]
    names = dict.fromkeys(bit.name for dialect, bit in bits if bit is not None and _is_of_today(dialect.when))
    for name in names:
        keys = [dialect.key for dialect, bit in bits if bit is not None and bit.name == name]
        # A dialect that others are based on represents them.
        yield name, f"{name} in {' and '.join(keys[:2])}"


def _is_of_today(when: str) -> bool:
    return when.removeprefix("since ") >= _CONTESTED_SINCE
