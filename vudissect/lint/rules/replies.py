"""VU-RPL: the answers that arrive, and their contents. For missing answers see `unanswered`."""

from enum import Enum

from vudissect.capture.record import Mark
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.lawful import remarks
from vudissect.lint.rule import SPEC, Findings, RuleBook, irregular, replies
from vudissect.lint.words import event_text, request_text
from vudissect.protocol.model import Answer, Channel
from vudissect.protocol.payloads import LOG
from vudissect.protocol.purpose import Purpose
from vudissect.wire.header import HEADER_SIZE, NEED_REPLY

RULES = RuleBook()

_QEMU_EXPECTED = "QEMU: 'Received unexpected msg type. Expected {} received {}'"


class _Stray(Enum):
    """Why an answer belongs to no request."""

    ACKNOWLEDGED_ON_TOP = "the message has an answer of its own, and got it"
    AGAIN = "the request was answered before"
    UNASKED = "the request did not ask for an answer"
    WRONG = "another answer is due"
    UNKNOWN = "there was no such request, and nothing is due"


def _stray(at: At) -> _Stray | None:
    """Why an answer belongs to no request; None if it belongs to one, or may belong to one that was not captured."""
    message, waiting = at.message, at.waiting[at.event.record.channel]
    nothing_missed = at.after.from_start or waiting.answered
    if not message.reply or at.event.request is not None or not nothing_missed or len(message.data) < HEADER_SIZE:
        return None
    if at.event.record.marks & Mark.NOT_FORWARDED:
        return None  # nobody takes it for another answer
    request, _ = waiting.answered.get(message.id, (None, 0))
    unasked = waiting.unasked.get(message.id, 0)
    if request is not None and request.frame > unasked:
        on_top = request.row.answer is Answer.ALWAYS and request.flags & NEED_REPLY
        return _Stray.ACKNOWLEDGED_ON_TOP if on_top else _Stray.AGAIN
    if unasked:
        return _Stray.UNASKED
    return _Stray.WRONG if waiting.is_owed else _Stray.UNKNOWN


@RULES.rule(
    "VU-RPL-01",
    Severity.ERROR,
    "an answer has the number of the request that is due to be answered",
    f"{SPEC}, Communication; {_QEMU_EXPECTED.format('N', 'M')}",
    irregular(),
)
def wrong_number(at: At) -> Findings:
    if _stray(at) is _Stray.WRONG:
        at.lose_sync()
        due = at.waiting[at.event.record.channel].owed()[0]
        yield at.finding(
            f"the answer to {request_text(due)} is due, but this one is to {at.name}, which was never sent "
            f"({_QEMU_EXPECTED.format(due.id, at.message.id)})",
            frames=(due.frame,),
        )


@RULES.rule(
    "VU-RPL-02",
    Severity.ERROR,
    "a request is answered once, and only if an answer is due",
    f"{SPEC}, Communication; libvhost-user broke this from 2020 to 2022 (QEMU 69a5daec06, 5ebfdeb212, 7f27d20ded)",
    irregular(),
)
def extra_answer(at: At) -> Findings:
    stray, waiting = _stray(at), at.waiting[at.event.record.channel]
    off_by_one = f"the {at.receiver.value} mistakes this for the answer to its next request, and so on"
    if stray is _Stray.UNASKED:
        at.lose_sync()
        asked_in = waiting.unasked[at.message.id]
        yield at.finding(
            f"{at.name} (#{asked_in}) did not ask for an answer, but got this one: {off_by_one}", frames=(asked_in,)
        )
    elif stray is _Stray.AGAIN:
        at.lose_sync()
        request, answered_in = waiting.answered[at.message.id]
        # The front-end has asked for both: the answer for postcopy, and an acknowledgement.
        asked_for = bool(request.flags & NEED_REPLY) and at.after.owes_reply(request.row, 0)
        cause = " (its NEED_REPLY asks for an acknowledgement besides the answer)" if asked_for else ""
        yield at.finding(
            f"{request_text(request)} was answered in #{answered_in} and is answered again{cause}: {off_by_one}",
            at.receiver if asked_for else at.sender,
            frames=(request.frame, answered_in),
        )


@RULES.rule(
    "VU-RPL-05",
    Severity.WARNING,
    "requests succeed",
    f"{SPEC}, REPLY_ACK: 0 is success; QEMU before eea5aeef84 inverted the result for shared objects",
    irregular(),
)
def failure(at: At) -> Findings:
    message, request = at.message, at.event.request
    if not message.reply or request is None:
        return
    code = message.values[0] & message.layout.failure if message.layout.failure else 0
    if not code:
        return
    blame, remark = Blame.UNKNOWN, ""
    if request.row.purpose in (Purpose.ADD_OBJECT, Purpose.REMOVE_OBJECT):
        blame, remark = Blame.FRONT_END, "; QEMU 8.2 to 9.1 sends this on success (fixed by eea5aeef84)"
    sent = next((event for event in at.recent(request.channel) if event.record.frame == request.frame), None)
    if sent is not None and sent.message.layout.deviation and at.sender is Blame.BACK_END:
        blame = Blame.FRONT_END
    unusual = "; ".join(remarks(sent, sent.before)) if sent is not None else ""
    what, why = (
        (event_text(sent), f"; {unusual}" if unusual else "") if sent is not None else (request_text(request), "")
    )
    yield at.finding(
        f"{what} failed: the {at.sender.value} answers {code}, where 0 is success{remark}{why}",
        blame,
        frames=(request.frame,),
    )


@RULES.rule(
    "VU-RPL-06",
    Severity.ERROR,
    "an answer has the size that its receiver expects",
    f"{SPEC}, message types; QEMU: 'Received bad msg size'; rust-vmm vhost #217",
    irregular() | replies(Purpose.SET_LOG),
)
def answer_size(at: At) -> Findings:
    message, request = at.message, at.event.request
    if not message.reply or not message.row.known or request is None:
        return
    frames = (request.frame,)
    if not message.fits:
        if at.event.record.length == HEADER_SIZE + message.size == len(message.data):  # else it is cut off
            yield at.finding(f"the answer to {request_text(request)} does not fit: {message.problem}", frames=frames)
    elif (
        message.row.purpose is Purpose.SET_LOG
        and message.layout is not LOG
        and at.after.owes_reply(message.row, 0)
        # QEMU accepts any size and never asks for this; rust-vmm's front-end does, and reads a full payload.
        and request.flags & NEED_REPLY
    ):
        yield at.finding(
            f"the answer to {request_text(request)} has {message.size} bytes of payload: front-ends on rust-vmm's "
            f"vhost crate read {LOG.size} and wait for the rest",
            frames=frames,
        )


@RULES.rule(
    "VU-RPL-07",
    Severity.ERROR,
    "a message that has an answer of its own is not acknowledged as well, with or without NEED_REPLY",
    f"{SPEC}, REPLY_ACK",
    irregular(),
)
def acknowledged_on_top(at: At) -> Findings:
    if _stray(at) is _Stray.ACKNOWLEDGED_ON_TOP:
        at.lose_sync()
        request, answered_in = at.waiting[at.event.record.channel].answered[at.message.id]
        yield at.finding(
            f"{request_text(request)} has its answer in #{answered_in} and is acknowledged on top: NEED_REPLY does not "
            f"ask for more here, and the {at.receiver.value} mistakes this for its next answer",
            frames=(request.frame, answered_in),
        )


@RULES.rule(
    "VU-RPL-09",
    Severity.WARNING,
    "NEED_REPLY is not set on a message that has an answer anyway: some back-ends repeat it, and QEMU refuses that",
    "libvhost-user and VPP repeat it; rust-vmm's front-end sets it on every message",
    irregular(),
)
def needless_need_reply(at: At) -> Findings:
    message, request = at.message, at.event.request
    if not message.reply or request is None or at.event.record.channel is Channel.GPU:
        return
    if message.flags & NEED_REPLY and request.flags & NEED_REPLY and request.row.answer is Answer.ALWAYS and at.first():
        yield at.finding(
            f"{request_text(request)} is always answered, but asks for an answer with NEED_REPLY, and the "
            f"{at.sender.value} repeats the flag in its answer (flags {message.flags:#x})",
            at.receiver,
            frames=(request.frame,),
        )


@RULES.rule(
    "VU-RPL-11",
    Severity.INFO,
    "answers come in the order of their requests",
    f"{SPEC}, Communication: only the order ties an answer to its request",
    irregular(),
)
def overtaken_answer(at: At) -> Findings:
    request = at.event.request
    if request is not None and request.overtaken:
        yield at.finding(
            f"{request_text(request)} is answered after a later request, which was answered in #{request.overtaken}: "
            f"a {at.receiver.value} that reads answers in order mistakes that answer for this one",
            frames=(request.frame, request.overtaken),
        )


@RULES.rule(
    "VU-RPL-12",
    Severity.ERROR,
    "only requests that were sent are answered",
    f"{SPEC}, Communication; {_QEMU_EXPECTED.format('N', 'M')}",
    irregular(),
)
def answer_to_nothing(at: At) -> Findings:
    if _stray(at) is _Stray.UNKNOWN:
        at.lose_sync()
        yield at.finding(
            f"{at.name} is answered, but was never sent, and no answer is due: from here on the {at.receiver.value} "
            "matches each answer to the wrong request"
        )
