"""What follows the name in a line of a conversation: layout, descriptors and options; `payload` reads the fields."""

import re
from typing import Any, NamedTuple

from vudissect.capture.record import Mark
from vudissect.conversation.conversation import ConversationError, layouts_of
from vudissect.conversation.objects import Objects
from vudissect.conversation.payload import RESULT, PayloadReader
from vudissect.conversation.values import duration, number
from vudissect.protocol.model import Answer, Device, Layout, Row
from vudissect.protocol.payloads import ACK
from vudissect.protocol.unknown import NO_LAYOUT
from vudissect.session.state import State

# What a transcript adds for its reader: the request that a reply answers, the descriptor that another replaces.
_REMARKS = re.compile(r"\[(?:#\d+|answers)[^][]*\]|\(was [^()]*\)|->")
_IN_PARENTHESES = re.compile(r"\(((?:[^()]|\([^()]*\))*)\)")
_MARKS = {mark.name.lower(): mark for mark in Mark if mark.name}
_NUMBERS = ("header_flags", "header_size", "cut_short")


class Context(NamedTuple):
    """What is known about a message before its contents: row, direction, state, device."""

    row: Row
    reply: bool
    state: State | None
    device: Device | None


def read_contents(text: str, context: Context, objects: Objects) -> dict[str, Any]:
    """Options and fields for `Conversation.say`; `ConversationError` for words that have no meaning here."""
    text, descriptors = objects.take(_REMARKS.sub(" ", text))
    layout, text = _take_layout(text, context)
    options, rest = _take_options(text)
    if descriptors:
        options["descriptors"] = descriptors
    if layout is NO_LAYOUT:
        if rest:
            raise ConversationError(f"{rest.split()[0]!r} is not understood: give the payload in hexadecimal")
        return options
    fields = PayloadReader(layout, context.row.channel, context.state, context.device).read(rest)
    return options | {"layout": layout} | fields


def _take_layout(text: str, context: Context) -> tuple[Layout, str]:
    """The layout, and the text without its name: the one in parentheses, or with these fields, or the row's first."""
    row = context.row
    if not row.known:
        return NO_LAYOUT, text
    known = layouts_of(row, context.reply)
    for layout in known:
        for named in _IN_PARENTHESES.finditer(text):
            if layout.is_called(named[1]):
                return layout, f"{text[: named.start()]} {text[named.end() :]}"
    if context.reply and row.answer not in (Answer.ALWAYS, Answer.IF_REPLY_ALL) and RESULT.search(text):
        return ACK, text
    if not known and "payload=" not in text:
        raise ConversationError(f"{row.name} has no reply of its own; write an acknowledgement: ok or FAILED (1)")
    words = {word.partition("=")[0] for word in text.split()}
    return next((layout for layout in known if words & set(layout.names)), known[0] if known else NO_LAYOUT), text


def _take_options(text: str) -> tuple[dict[str, Any], str]:
    """Options of the message as a whole, and the remaining words."""
    options: dict[str, Any] = {}
    rest: list[str] = []
    for word in text.split():
        name, _, value = word.partition("=")
        if word == "need_reply":
            options[word] = True
        elif word in _MARKS:
            options["marks"] = options.get("marks", 0) | _MARKS[word]
        elif name in _NUMBERS:
            options[name] = number(value)
        elif name == "payload":
            options[name] = _hexadecimal(value)
        elif word.startswith("+") and (after := duration(word[1:])) is not None:
            options["after"] = after
        else:
            rest.append(word)
    return options, " ".join(rest)


def _hexadecimal(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ConversationError(f"{text!r} is not hexadecimal") from None
