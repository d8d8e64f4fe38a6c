"""VU-RPL-03, 04, 08 and 10: missing answers: who waits, since when, and for whom."""

from vudissect.capture.record import Mark, RecordKind
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.lint.hang import ENDINGS, Closings, Hang, hang_of
from vudissect.lint.lawful import is_against_sender, lawfulness, remarks
from vudissect.lint.memory import memory
from vudissect.lint.rule import SLOW, SPEC, Findings, RuleBook, events, irregular
from vudissect.lint.words import event_text, frames_text, request_text, time_text
from vudissect.protocol.model import Answer, Channel, Side
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.usual import may_take_long
from vudissect.session.event import MessageEvent
from vudissect.session.pairing import Request
from vudissect.wire.header import NEED_REPLY

RULES = RuleBook()

_BLAMES = {Side.FRONT_END: Blame.FRONT_END, Side.BACK_END: Blame.BACK_END}


@RULES.rule(
    "VU-RPL-03",
    Severity.ERROR,
    "a message that has an answer of its own is answered",
    f"{SPEC}, message descriptions",
    ENDINGS,
    remembers=Closings,
)
def missing_answer(at: At[Closings]) -> Findings:
    for hang, request in _kept_waiting(at):
        if at.after.owes_reply(request.row, 0):
            yield _missing(at, hang, request, "answer", ())


@RULES.rule(
    "VU-RPL-04",
    Severity.ERROR,
    "a message with NEED_REPLY is acknowledged once REPLY_ACK is negotiated",
    f"{SPEC}, REPLY_ACK",
    ENDINGS,
    remembers=Closings,
)
def missing_acknowledgement(at: At[Closings]) -> Findings:
    acked_in = at.after.protocol_features.acked_in
    for hang, request in _kept_waiting(at):
        if not at.after.owes_reply(request.row, 0):
            kind = f"acknowledgement (NEED_REPLY; REPLY_ACK was negotiated in #{acked_in})"
            yield _missing(at, hang, request, kind, (acked_in,))
    yield from _acknowledged_with_its_own_feature(at)


def _acknowledged_with_its_own_feature(at: At[Closings]) -> Findings:
    """A finding if the message that enables REPLY_ACK asks for the first acknowledgement, and does not get it."""
    delivered = at.delivered(Channel.MAIN) if at.over else []
    last = delivered[-1] if delivered else None
    if last is None or not last.message.row.known or not at.after.has("REPLY_ACK"):
        return
    waited = at.time - last.record.received
    asks = last.message.flags & NEED_REPLY and not last.before.has("REPLY_ACK")
    if (
        not asks
        or last.message.row.purpose is not Purpose.ACK_PROTOCOL_FEATURES
        or (at.event.message is None and waited < SLOW)
    ):
        return
    yield at.finding(
        f"{event_text(last)} asks for an acknowledgement (NEED_REPLY) of the very message that enables REPLY_ACK, "
        f"and gets none: the front-end seems to wait ({time_text(waited)}); libvhost-user, qemu-storage-daemon "
        "and DPDK answer it, yc-libvhost-server does not",
        Blame.BACK_END,
        frame=last.record.frame,
    )


def _kept_waiting(at: At[Closings]) -> list[tuple[Hang, Request]]:
    """The oldest request of each channel that was never answered, unless a more specific rule reports it."""
    hang = hang_of(at)
    if hang is None or hang.cycle is not None:  # VU-RPL-10
        return []
    return [
        (hang, requests[0])
        for channel, requests in hang.waits.items()
        if hang.in_vain(requests[0])
        and not (channel is Channel.MAIN and hang.by == Side.BACK_END.label)  # VU-RPL-08
        and not may_take_long(requests[0].row)
    ]


def _missing(at: At, hang: Hang, request: Request, what: str, frames: tuple[int, ...]) -> Finding:
    behind = [other.frame for other in hang.waits[request.channel][1:]]
    answerer = Side.BACK_END if request.channel is Channel.MAIN else Side.FRONT_END
    end, waited = f"the {hang.by} closed the connection" if hang.by else "the capture ends", hang.waited(request)
    until = f"for {time_text(waited)}, until {end}" if waited > 0 else f"until {end}, right after it"
    text = f"{request_text(request)} never got its {what}: nothing arrived {until}"
    if request.overtaken:
        text += f"; a later request was answered in #{request.overtaken}"
    if behind:
        text += f"; {frames_text(behind)} got none either"
    if request.withheld:
        text += f"; a fault withheld it in #{request.withheld}"
    text += _unconfirmed_before(at, request)
    return at.finding(text, _BLAMES[answerer], frame=request.frame, frames=(*frames, *behind[:8]))


def _unconfirmed_before(at: At, request: Request) -> str:
    """What is unusual about the message before the request, if nothing shows that the receiver got past it."""
    before = [
        event
        for event in at.recent(request.channel)
        if event.record.frame < request.frame and event.record.sender is request.channel.initiator
    ]
    if not before or at.waiting.answered >= before[-1].record.frame:
        return ""
    unusual = "; ".join(remarks(before[-1], before[-1].before))
    return f"; {event_text(before[-1])} is not confirmed either, and may be the cause: {unusual}" if unusual else ""


@memory
class _Gone(Closings):
    """Where channels were closed, and whether a message was sent after the back-end was gone."""

    is_gone: bool = False


@memory
class _End:
    """How the last connection ended, if the back-end closed it: the programs, and the number of the message."""

    end: tuple[tuple[str, str], int] | None = None


@RULES.rule(
    "VU-RPL-08",
    Severity.ERROR,
    "the back-end answers requests and reads all messages before it closes the connection",
    f"{SPEC}, Communication; QEMU: 'Read 0 instead of 12. Original request N', 'Failed to set msg fds'",
    events(RecordKind.CHANNEL_CLOSED, RecordKind.CONNECTION_CLOSED) | irregular(),
    remembers=_Gone,
)
def closed_instead(at: At[_Gone]) -> Findings:
    if at.event.message is not None:
        yield from _already_gone(at, at.event)
        return
    hang = hang_of(at)
    if hang is None:
        return
    due = hang.waits.get(Channel.MAIN, ())
    if hang.by != Side.BACK_END.label or hang.cycle is not None or not (due or at.memory.is_gone):
        at.lasting(_End).end = None
    elif due and not (due[0].withheld or at.memory.is_gone) and _is_news(at, due[0].id):
        yield _hung_up(at, hang, due[0])


def _hung_up(at: At, hang: Hang, request: Request) -> Finding:
    never = ", without any answer on this connection" if not at.waiting.answered else ""
    sent = _recent(at, request.frame)
    what = event_text(sent) if sent is not None else request_text(request)
    against = is_against_sender(at.found_in(request.frame))
    return at.finding(
        f"the back-end closed the connection ({at.event.record.details.get('how', '')}) "
        f"{time_text(hang.waited(request))} after {what} instead of answering it{never} "
        f"(QEMU: 'Read 0 instead of 12. Original request {request.id}'){_lawfulness(at, sent)}",
        Blame.UNKNOWN if against else Blame.BACK_END,
        frame=request.frame,
        frames=(at.frame,),
    )


def _already_gone(at: At[_Gone], event: MessageEvent) -> Findings:
    """A finding on the first message sent after the back-end was gone."""
    if (
        not event.record.marks & Mark.NOT_FORWARDED
        or event.record.marks & Mark.WITHHELD
        or event.record.sender is not Side.FRONT_END
        or event.record.channel is not Channel.MAIN
        or at.memory.is_gone
    ):
        return
    at.memory.is_gone = True
    delivered = [event for event in at.delivered(Channel.MAIN) if event.record.sender is Side.FRONT_END]
    last, against = "it received nothing", ""
    if delivered:
        against = is_against_sender(at.found_in(delivered[-1].record.frame))
        last = f"the last message it received is {event_text(delivered[-1])}{_lawfulness(at, delivered[-1])}"
    if _is_news(at, at.message.id):
        yield at.finding(
            f"{event_text(event)} was sent after the back-end was gone (QEMU: 'Failed to write msg', "
            f"'Failed to set msg fds'): {last}",
            Blame.UNKNOWN if against else Blame.BACK_END,
            frames=tuple(event.record.frame for event in delivered[-1:]),
        )


def _recent(at: At, frame: int) -> MessageEvent | None:
    """A message on the main channel, if it is one of the most recent."""
    return next((event for event in at.recent(Channel.MAIN) if event.record.frame == frame), None)


def _lawfulness(at: At, event: MessageEvent | None) -> str:
    """Whether the last message that the back-end received was correct, as the end of a sentence."""
    return lawfulness(event, at.found_in(event.record.frame)) if event is not None else ""


def _is_news(at: At, number: int) -> bool:
    """Whether the previous connection ended differently; the same end again is for VU-TIM-02."""
    last, end = at.lasting(_End), (at.after.programs, number)
    is_news = last.end != end
    last.end = end
    return is_news


@RULES.rule(
    "VU-RPL-10",
    Severity.INFO,
    "the two sides do not wait for each other, and neither waits for an answer that no rule promises",
    f"{SPEC}, Back-end communication; QEMU db8a3772e3 and f340a59d5a, DPDK 1aadb2f6b1",
    ENDINGS,
    remembers=Closings,
)
def wait_edges(at: At[Closings]) -> Findings:
    hang = hang_of(at)
    if hang is None:
        return
    if hang.cycle is not None:
        yield _deadlock(at, hang, *hang.cycle)
    elif Channel.MAIN in hang.waits:
        request = hang.waits[Channel.MAIN][0]
        if not hang.in_vain(request) and hang.by != Side.BACK_END.label:
            yield at.finding(
                f"the {hang.by} closed the connection {time_text(hang.waited(request))} after {request_text(request)}, "
                "before the answer arrived",
                Blame.UNKNOWN,
                frame=request.frame,
                frames=(at.frame,),
            )
    elif not hang.waits:
        yield from _waits_for_no_reason(at, hang)


def _deadlock(at: At, hang: Hang, main: Request, other: Request) -> Finding:
    start = at.event.record.received - at.event.elapsed
    behind = [request.frame for requests in hang.waits.values() for request in requests[1:]]
    text = (
        f"deadlock: from {time_text(main.forwarded - start)} on the front-end waits for the answer to "
        f"{request_text(main)} on the {main.channel.label} channel, from {time_text(other.forwarded - start)} on the "
        f"back-end for the answer to {request_text(other)} on the {other.channel.label} channel"
    )
    if behind:
        text += f"; also waiting: {frames_text(behind)}"
    # Worse than the rule usually is: nothing continues from here.
    first, second = sorted((main.frame, other.frame))
    return at.finding(text, Blame.BOTH, frame=second, frames=(first, *behind[:8]), severity=Severity.ERROR)


def _waits_for_no_reason(at: At, hang: Hang) -> Findings:
    """A finding if the front-end fell silent after a request that need not be answered, as if it waited for one."""
    delivered = at.delivered(Channel.MAIN)
    if not delivered or at.lost_sync(Channel.MAIN) is not None:
        return
    last, message = delivered[-1], delivered[-1].message
    silence = hang.at - last.record.received
    if message.reply or not message.row.known or (hang.by and silence < SLOW):
        return
    state, asks = at.after, bool(message.flags & NEED_REPLY)
    if asks and message.row.answer is not Answer.NEVER and state.lacks("REPLY_ACK"):
        reason, blame = "it asks for an acknowledgement (NEED_REPLY), but REPLY_ACK was not negotiated", Blame.FRONT_END
    elif message.row.answer is Answer.IF_LOG_SHMFD and state.lacks("LOG_SHMFD"):
        reason, blame = "without LOG_SHMFD it is not answered", Blame.UNKNOWN
    else:
        return
    yield at.finding(
        f"the main channel is silent after {event_text(last)}: {reason}; if the front-end waits for an "
        "answer, it waits forever",
        blame,
        frame=last.record.frame,
    )
