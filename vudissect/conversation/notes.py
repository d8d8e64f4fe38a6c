"""The lines of a conversation that are not messages: `--- connection`, `--- closed by`, channels, gaps, faults."""

import re
from collections.abc import Callable

from vudissect.capture.record import Record, RecordKind
from vudissect.conversation.conversation import Conversation, ConversationError
from vudissect.conversation.objects import Objects
from vudissect.conversation.rings import read_observation
from vudissect.conversation.values import count
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.model import Channel

_CHANNELS = {channel.label: channel for channel in Channel}
_SIDES = ("front", "back")

_PEERS = re.compile(
    r"connection(?: (?P<number>\d+))?:? +front-end[ =](?P<front>.*?)(?: \(pid (?P<front_pid>\d+)\))?,?"
    r" +back-end[ =](?P<back>.*?)(?: \(pid (?P<back_pid>\d+)\))?(?:, device (?P<device>[\w-]+))?"
    r"(?:, from (?P<source>[\w -]+?) of (?:the (?P<seen>front-end|back-end)|both sides))?"
)
_ENDING = (
    r"closed by (?:the )?(?P<by>front-end|back-end|proxy|\?)(?: \((?P<how>.*)\))?(?:, (?P<lost>\d+) bytes undelivered)?"
)
_CLOSED = re.compile(rf"(?:connection (?P<number>\d+) )?{_ENDING}")
_CHANNEL_OPENED = re.compile(r"(?P<channel>main|backend|gpu) channel opened(?: on (?P<socket>sock#\w+))?")
_CHANNEL_CLOSED = re.compile(rf"(?P<channel>main|backend|gpu) channel {_ENDING}")
_GAP = re.compile(r"(?P<messages>\d+|\?) messages are missing here: (?P<reason>.*)")
_FAULT = re.compile(r"fault (?P<fault>\d+) (?P<outcome>(?:not )?injected)(?: \((?P<remark>.*?)\))?: (?P<text>.*)")
_TIMING_ONLY = "timing only"
_NOTE = re.compile(r"note:? (?P<text>.*)")

# What a damaged capture does not say.
_NOT_KNOWN = "?"

Details = dict[str, str | int]


class NoteReader:
    """Adds what these lines say to a conversation whose descriptors are `objects`."""

    def __init__(self, conversation: Conversation, objects: Objects) -> None:
        self._conversation = conversation
        self._objects = objects
        self._passed: dict[tuple[int, Descriptor], int] = {}

    def see(self, message: Record) -> None:
        """Remember the sockets that a message passes: a channel may be opened on one of them."""
        for descriptor in message.descriptors:
            if descriptor.kind is DescriptorKind.SOCKET:
                self._passed[message.connection, descriptor] = message.sequence

    def read(self, text: str, connection: int, after: int) -> None:
        """Add the record of a line, without its arrow; `ConversationError` if it is not understood."""
        for pattern, add in _FORMS:
            if match := pattern.fullmatch(text):
                add(self, match, connection, after)
                return
        seen = read_observation(text)
        if seen is None:
            known = "connection, closed by, channel opened, ring, fault or note"
            raise ConversationError(f"--- {text!r} is not understood: write {known}")
        self._conversation.event(RecordKind.RING_OBSERVED, Channel.MAIN, connection, after, **seen.details)

    def add_opened(self, match: re.Match[str], connection: int, after: int) -> None:
        """A connection is opened between two programs."""
        pids = {f"{side}_end_pid": count(match[f"{side}_pid"], 32) for side in _SIDES if match[f"{side}_pid"]}
        details: Details = {**pids, **({"device": match["device"]} if match["device"] else {})}
        if match["source"]:
            details |= {"source": match["source"], **({"seen_by": match["seen"]} if match["seen"] else {})}
        self._conversation.open(match["front"], match["back"], _numbered(match, connection), after, **details)

    def add_closed(self, match: re.Match[str], connection: int, after: int) -> None:
        """A connection is closed."""
        number = _numbered(match, connection)
        self._conversation.event(RecordKind.CONNECTION_CLOSED, Channel.MAIN, number, after, **_ending(match))

    def add_channel_opened(self, match: re.Match[str], connection: int, after: int) -> None:
        """A channel is opened, possibly on a socket that was passed before."""
        details: Details = {}
        if socket := match["socket"]:
            descriptor = self._objects.known(socket)
            passed = self._passed.get((connection, descriptor)) if descriptor is not None else None
            if passed is None:
                raise ConversationError(f"no message on this connection has passed {socket}")
            details["by_sequence"] = passed
        self._conversation.event(RecordKind.CHANNEL_OPENED, _CHANNELS[match["channel"]], connection, after, **details)

    def add_channel_closed(self, match: re.Match[str], connection: int, after: int) -> None:
        """A channel is closed."""
        channel = _CHANNELS[match["channel"]]
        self._conversation.event(RecordKind.CHANNEL_CLOSED, channel, connection, after, **_ending(match))

    def add_gap(self, match: re.Match[str], connection: int, after: int) -> None:
        """Messages are missing."""
        details: Details = {"reason": match["reason"]}
        if match["messages"] != _NOT_KNOWN:
            details["messages"] = count(match["messages"], 64)
        self._conversation.event(RecordKind.GAP, Channel.MAIN, connection, after, **details)

    def add_fault(self, match: re.Match[str], connection: int, after: int) -> None:
        """The proxy changes something on purpose."""
        remark = match["remark"] or ""
        details: Details = {"fault": count(match["fault"], 32), "text": match["text"], "outcome": match["outcome"]}
        if match["outcome"].startswith("not"):
            details["reason"] = remark
        elif remark != _TIMING_ONLY:
            details["alters"] = 1
        self._conversation.event(RecordKind.FAULT, Channel.MAIN, connection, after, **details)

    def add_note(self, match: re.Match[str], connection: int, after: int) -> None:
        """Any text."""
        self._conversation.event(RecordKind.NOTE, Channel.MAIN, connection, after, text=match["text"])


_FORMS: tuple[tuple[re.Pattern[str], Callable[[NoteReader, re.Match[str], int, int], None]], ...] = (
    (_PEERS, NoteReader.add_opened),
    (_CLOSED, NoteReader.add_closed),
    (_CHANNEL_OPENED, NoteReader.add_channel_opened),
    (_CHANNEL_CLOSED, NoteReader.add_channel_closed),
    (_GAP, NoteReader.add_gap),
    (_FAULT, NoteReader.add_fault),
    (_NOTE, NoteReader.add_note),
)


def _numbered(match: re.Match[str], connection: int) -> int:
    return count(match["number"], 32) if match["number"] else connection


def _ending(match: re.Match[str]) -> Details:
    details: Details = {"how": match["how"] or "eof"} | ({"by": match["by"]} if match["by"] != _NOT_KNOWN else {})
    return details | ({"undelivered": count(match["lost"], 64)} if match["lost"] else {})
