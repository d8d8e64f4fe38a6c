"""Actions that withhold a message, repeat it, add another, or answer in the place of the peer."""

from collections.abc import Callable
from dataclasses import replace

from vudissect.faults.action import ACTIONS, Action, Words
from vudissect.faults.errors import FaultError, ImpossibleError
from vudissect.faults.plan import Plan, Target, other
from vudissect.filter.errors import Token, unknown
from vudissect.filter.values import number_of
from vudissect.protocol.model import Answer, Channel, Row
from vudissect.protocol.payloads import ACK, EMPTY
from vudissect.protocol.table import UPSTREAM
from vudissect.proxy.faulting import Inject
from vudissect.wire.codec import codec_of
from vudissect.wire.errors import FieldError
from vudissect.wire.fields import from_fields

_NEED_REPLY = "need_reply"
_BEFORE = "before"


@ACTIONS.action(
    "drop",
    "",
    "do not pass it on",
    "2, 9, 13, 15, 38: an answer that never comes; 1: a message that is not sent",
)
def drop(_: Words) -> Action:
    """A message that is lost."""
    return lambda plan, _: replace(plan.with_message(plan.message), main=None)


@ACTIONS.action(
    "duplicate",
    "",
    "pass it on twice, with the same descriptors",
    "9, 11, 43, 56: two answers to one request, a message that is sent once a queue pair",
)
def duplicate(_: Words) -> Action:
    """A message that comes twice."""
    return lambda plan, _: replace(plan, later=(*plan.later, plan.message))


@ACTIONS.action(
    "insert",
    "MESSAGE [before] [need_reply] [FIELD=VALUE ...]",
    "also send this request in the place of the side that sends such requests, after the message or before it",
    "8, 33, 44, 57: a message that the peer does not expect here",
)
def insert(words: Words) -> Action:
    """A message that nobody sent."""
    name = words.take("the name of a message")
    rows = UPSTREAM.find(name.text)
    if not rows:
        raise _of_unknown(name)
    row, options, fields, places = rows[0], set[str](), {}, {}
    while words.more:
        token = words.take("a field and its value")
        field, sign, text = token.text.partition("=")
        number = number_of(text)
        if not sign and token.text.lower() in (_BEFORE, _NEED_REPLY):
            options.add(token.text.lower())
        elif number is None:
            raise FaultError(token.column, f"expected FIELD=NUMBER, before or need_reply, not {token}")
        else:
            fields[field], places[field] = number, token
    make = _maker(row, fields, name, places, need_reply=_NEED_REPLY in options)

    def apply(plan: Plan, target: Target) -> Plan:
        opens = target.event.message.row.opens if not options & {_BEFORE} else None
        if row.channel not in (Channel.MAIN, opens, *target.channels):
            raise ImpossibleError(f"the {row.channel.label} channel is not open")
        sending = Inject(row.channel, row.initiator, make(target))
        if _BEFORE in options:
            return replace(plan, earlier=(*plan.earlier, sending))
        return replace(plan, later=(*plan.later, sending))

    return apply


def _maker(
    row: Row, fields: dict[str, int], name: Token, places: dict[str, Token], *, need_reply: bool
) -> Callable[[Target], bytes]:
    """Makes the bytes of a request; `FaultError` for fields that it does not have."""
    layout = row.request[0]
    try:
        values = from_fields(layout, fields, row.name)
        codec_of(UPSTREAM, "little").encode(row, layout, values)
    except FieldError as error:
        text = str(error)
        wrong = next((token for field, token in places.items() if f"'{field}'" in text or f".{field}:" in text), name)
        raise FaultError(wrong.column, text) from None
    return lambda target: codec_of(UPSTREAM, target.offer.byte_order).encode(row, layout, values, need_reply=need_reply)


def _of_unknown(name: Token) -> FaultError:
    error = unknown("message", name, [row.name for row in UPSTREAM.messages], name.text.upper())
    remedy = "" if error.reason.endswith("?") else "; vudissect messages lists them"
    return FaultError(error.column, f"{error.reason}{remedy}")


@ACTIONS.action(
    "ack",
    "",
    "answer it with success in the place of the receiver, which does not get it; or make the answer a success",
    "10, 15, 26: a side that believes that something was done",
)
def ack(_: Words) -> Action:
    """The receiver never sees the request, and its sender gets a success."""
    return lambda plan, target: _answered(plan, target, 0)


@ACTIONS.action(
    "nack",
    "[NUMBER]",
    "the same with a failure, as this number (1)",
    "10, 12, 49: what a front-end does when something is refused",
)
def nack(words: Words) -> Action:
    """Failure."""
    code = words.number("the number of the failure", least=1, default=1)
    return lambda plan, target: _answered(plan, target, code)


@ACTIONS.action(
    "error",
    "",
    "answer it without contents, as back-ends do that cannot do what was asked; an acknowledgement reports a failure",
    "16, 27, 40, 54: a front-end that uses an answer without looking at it",
)
def error(_: Words) -> Action:
    """An answer that has nothing."""
    return lambda plan, target: _answered(plan, target, None)


def _answered(plan: Plan, target: Target, code: int | None) -> Plan:
    """The plan with an acknowledgement with this code, or without contents, in the place of the message's receiver."""
    offer, event = target.offer, target.event
    row = event.message.row
    if not row.known:
        raise ImpossibleError("the message is not in the table, so nobody knows how it is answered")
    is_acknowledged = row.answer is not Answer.ALWAYS and not (
        row.answer in (Answer.IF_LOG_SHMFD, Answer.IF_POSTCOPY) and event.after.owes_reply(row, 0)
    )
    if code is not None and not is_acknowledged:
        raise ImpossibleError(f"{row.name} has an answer of its own: use error, or set a field of its answer")
    reply = event.message.reply
    if not reply and not event.awaits:
        raise ImpossibleError("its sender waits for no answer: NEED_REPLY is not set, or REPLY_ACK is not in effect")
    layout, values = (ACK, ((1 if code is None else code),)) if is_acknowledged else (EMPTY, ())
    data = codec_of(event.after.protocol, offer.byte_order).encode(row, layout, values, reply=True)
    if reply and data == plan.message.data:
        raise ImpossibleError("it is this answer already")
    if reply:
        return plan.with_message(replace(plan.message, data=data, passing=()))
    answer = Inject(offer.channel, other(offer.sender), data, delay=plan.message.delay)
    return replace(plan, main=None, later=(*plan.later, answer))
