"""What follows the name in a line of a conversation: layout, descriptors and options; `payload` reads the fields."""

import re
from typing import Any, NamedTuple

from vudissect.capture.record import Mark
from vudissect.conversation.conversation import ConversationError, layouts_of
from vudissect.conversation.objects import Objects
from vudissect.conversation.payload import RESULT, PayloadReader
from vudissect.conversation.values import count, duration, number
from vudissect.protocol.marks import MARK_WORDS
from vudissect.protocol.model import Answer, Channel, Device, Layout, Meaning, Row
from vudissect.protocol.payloads import ACK, EMPTY
from vudissect.protocol.unknown import NO_LAYOUT, unknown_row
from vudissect.session.state import State
from vudissect.wire.header import HEADER_SIZE, NAMED_SIZE

# What a transcript adds for its reader: the request that a reply answers, the descriptor that another replaces.
_REMARKS = re.compile(r"\[(?:#\d+|answers)[^][]*\]|\(was [^()]*\)|->")
_MARK_WORDS = {words: mark.name.lower() for mark, words in MARK_WORDS.items() if mark.name}
_MARK_WORDS["SENT BACK"] = SENT_BACK = "sent_back"
_MARK = re.compile(rf"(?<!\S)({'|'.join(map(re.escape, _MARK_WORDS))})(?:,|(?!\S))")
_CUT = re.compile(r"CUT, (\d{1,10}) of (\d{1,10}) bytes were recorded")
_IN_PARENTHESES = re.compile(r"\(((?:[^()]|\([^()]*\))*)\)")
_MARKS = {mark.name.lower(): mark for mark in Mark if mark.name}
_EMPTY = "empty"
_HEADER_FLAGS = re.compile(r"\b(header_flags) (?=\w)")
_NUMBERS = ("header_flags", "header_size", "cut_short")


class Context(NamedTuple):
    """What is known about a message before its contents: row, direction, state, device."""

    row: Row
    reply: bool
    state: State | None
    device: Device | None


NOTHING_KNOWN = Context(unknown_row(Channel.MAIN), False, None, None)


def read_contents(text: str, context: Context, objects: Objects) -> dict[str, Any]:
    """Options and fields for `Conversation.say`; `ConversationError` for words that have no meaning here."""
    text = _MARK.sub(lambda match: _MARK_WORDS[match[1]], text)
    text = text.replace("payload unknown", f"CUT, {NAMED_SIZE} of {HEADER_SIZE} bytes were recorded")
    cut = _CUT.search(text)
    text, descriptors = objects.take(_REMARKS.sub(" ", _CUT.sub(" ", text)))
    layout, text = _take_layout(text, context)
    options, rest = _take_options(text)
    if cut:
        options["recorded"], options["length"] = count(cut[1], 32), count(cut[2], 32)
        if not context.row.known:
            options["payload"] = b""
    if descriptors:
        options["descriptors"] = descriptors
    if layout is NO_LAYOUT:
        if rest:
            raise ConversationError(f"{rest.split()[0]!r} is not understood: give the payload in hexadecimal")
        return options
    fields = PayloadReader(layout, context.row.channel, context.state, context.device).read(rest)
    if cut and layout.array is not None and isinstance(layout.array.count, str):
        # Not all entries were recorded.
        space = options["length"] - HEADER_SIZE - layout.fixed_size
        fields[layout.array.count] = space // layout.array.entry.fixed_size
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
    if context.reply and text.split()[:1] == [_EMPTY]:
        return EMPTY, text.replace(_EMPTY, "", 1)
    names = [word.partition("=")[0] for word in text.split()]
    return max(known, key=lambda layout: _likeness(layout, names), default=NO_LAYOUT), text


def _likeness(layout: Layout, words: list[str]) -> tuple[int, bool, int]:
    """How well a layout fits: how many of its fields are named, whether in its order, and how many are not."""
    named = [word for word in words if word in layout.names]
    in_order = named == [name for name in layout.names if name in named]
    fields = [field for field in layout.fields if field.meaning is not Meaning.PADDING]
    chosen = sum(any(value in words for value in field.choices.values()) for field in fields)
    known = len(set(named)) + chosen
    return known, in_order, -len(fields) if known else 0


def _take_options(text: str) -> tuple[dict[str, Any], str]:
    """Options of the message as a whole, and the remaining words."""
    options: dict[str, Any] = {}
    rest: list[str] = []
    for word in _HEADER_FLAGS.sub(r"\1=", text).split():
        name, _, value = word.partition("=")
        if word in ("need_reply", SENT_BACK):
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
