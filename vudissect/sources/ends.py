"""Which sockets of a log are the ends of vhost-user channels, and the messages that pass there.

A socket is recognised by the first bytes that it carries at the beginning of a call: the header of a message whose
number and size are in the table. A channel that is handed over in a message is known from there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from vudissect.protocol.model import Channel, Row, Side
from vudissect.protocol.table import UPSTREAM
from vudissect.sources.files import File, Process
from vudissect.sources.streams import Framed, OutOfStep, Stream
from vudissect.sources.system_calls import Ended, Happening, Transfer
from vudissect.wire.codec import forms, layout_codec
from vudissect.wire.header import HEADER_SIZE, REPLY, USUAL_FLAGS, detect_byte_order, struct_of

_OPENERS: Final = {row.id: row.opens for row in UPSTREAM.channel(Channel.MAIN) if row.opens is not None}


@dataclass(eq=False, slots=True)
class End:
    """One end of a channel, in a process. `opened_by` is the end of the main channel where its socket was passed."""

    channel: Channel
    side: Side
    socket: File
    process: Process
    opened_by: "End | None" = None
    first_data: bytes = b""
    """The first message."""
    peer: dict[str, str | int] | None = None
    """What is known of the process at the other end; None if nobody has looked."""
    unsure: set[bool] = field(default_factory=set)
    """The directions, sent or not, that have lost calls: where a message begins is unknown."""
    streams: list[Stream] = field(default_factory=lambda: [Stream(is_sent=False), Stream(is_sent=True)])


@dataclass(frozen=True, slots=True)
class Passed:
    """A message at one end: `is_sent` by the process, or received."""

    end: End
    is_sent: bool
    message: Framed

    @property
    def sender(self) -> Side:
        """Who sent it."""
        return self.end.side if self.is_sent else Side(1 - self.end.side)

    @property
    def opens(self) -> Channel | None:
        """The channel that the message hands over."""
        return _opens(self.end, self.message)

    @property
    def time(self) -> int:
        """When it was sent or received."""
        return self.message.time


@dataclass(frozen=True, slots=True)
class Missed:
    """Bytes at one end that the log does not show, so that their messages are unknown."""

    end: End
    bytes: int
    time: int


@dataclass(frozen=True, slots=True)
class Closed:
    """A channel has ended at one end."""

    end: End
    by: Side
    how: str
    time: int


Item = Passed | Missed | Closed


class Ends:
    """Finds the ends of channels among the sockets of a log."""

    def __init__(self) -> None:
        self._ends: dict[File, End] = {}
        self._announced: dict[File | int, tuple[Channel, End]] = {}
        self._unclaimed: list[tuple[Channel, End]] = []

    def feed(self, happening: Happening) -> Iterator[Item]:
        """What happens at the ends of channels."""
        end = self._ends.get(happening.socket)
        if isinstance(happening, Ended):
            if end is not None:
                yield from self._ended(end, happening)
            return
        if end is None or end.process is not happening.process:
            end = self._recognised(happening)
        if end is not None and self._is_in_step(end, happening):
            yield from self._framed(end, happening)

    def lose(self) -> None:
        """Calls are missing: what follows counts from the next one that begins like a message."""
        for end in self._ends.values():
            end.unsure = {False, True}

    def _is_in_step(self, end: End, transfer: Transfer) -> bool:
        if transfer.is_sent not in end.unsure:
            return True
        if _channel_of(transfer) != (end.channel, end.side):
            return False
        end.unsure.discard(transfer.is_sent)
        end.streams[transfer.is_sent] = Stream(is_sent=transfer.is_sent)
        return True

    def _framed(self, end: End, transfer: Transfer) -> Iterator[Item]:
        for each in end.streams[transfer.is_sent].feed(transfer):
            if isinstance(each, OutOfStep):
                yield Missed(end, each.bytes, each.time)
                continue
            end.first_data = end.first_data or each.data
            yield Passed(end, transfer.is_sent, each)
            channel = _opens(end, each)
            if channel is not None and each.files:
                self._announce(channel, end, each.files[0], is_sent=transfer.is_sent)

    def _ended(self, end: End, ended: Ended) -> Iterator[Item]:
        for is_sent, stream in enumerate(end.streams):
            if (rest := stream.finish()) is not None:
                yield Passed(end, bool(is_sent), rest)
        if not ended.by_peer:
            del self._ends[end.socket]
        yield Closed(end, Side(1 - end.side) if ended.by_peer else end.side, ended.how, ended.time)

    def _announce(self, channel: Channel, end: End, file: File, *, is_sent: bool) -> None:
        """A message hands over a channel: the sender keeps the other end of the socket that it passes."""
        if not is_sent:
            self._announced[file] = channel, end
        elif file.pair is not None:
            self._announced[file.pair] = channel, end
        elif file.peer:
            self._announced[file.peer] = channel, end
        else:
            self._unclaimed.append((channel, end))

    def _recognised(self, transfer: Transfer) -> End | None:
        socket = transfer.socket
        announced = self._announced.get(socket) or (self._announced.get(socket.inode) if socket.inode else None)
        if announced is not None:
            channel, main = announced
            end = End(channel, main.side, socket, transfer.process, main)
        else:
            found = _channel_of(transfer)
            if found is None:
                return None
            end = End(*found, socket, transfer.process)
            if end.channel is not Channel.MAIN:
                end.opened_by = self._claimed(end)
        self._ends[socket] = end
        return end

    def _claimed(self, end: End) -> End | None:
        """The end of the main channel where the socket of this one was passed, as its description did not show."""
        for place, (channel, main) in enumerate(self._unclaimed):
            if channel is end.channel and main.side is end.side and main.process is end.process:
                del self._unclaimed[place]
                return main
        return None


def _opens(end: End, message: Framed) -> Channel | None:
    if end.channel is not Channel.MAIN or len(message.data) < HEADER_SIZE:
        return None
    number, flags, _ = struct_of("III", detect_byte_order(message.data) or "little").unpack_from(message.data)
    return None if flags & REPLY else _OPENERS.get(number)


def _channel_of(transfer: Transfer) -> tuple[Channel, Side] | None:
    """The channel that these bytes begin a message of, and the side of the process there; None if they do not."""
    data = transfer.data
    if len(data) < HEADER_SIZE or b"\0" in transfer.known[:HEADER_SIZE]:
        return None
    number, flags, size = struct_of("III", detect_byte_order(data) or "little").unpack_from(data)
    if flags not in USUAL_FLAGS:
        return None
    reply = bool(flags & REPLY)
    for channel in (Channel.MAIN, Channel.BACKEND):
        row = UPSTREAM.request(channel, number)
        if row is not None and _may_have(row, size, reply=reply):
            initiates = transfer.is_sent != reply
            return channel, channel.initiator if initiates else Side(1 - channel.initiator)
    return None


def _may_have(row: Row, size: int, *, reply: bool) -> bool:
    """Whether a message can have a payload of this size."""
    return any(layout_codec(layout, "little").may_have(size) for layout in forms(row, reply=reply))
