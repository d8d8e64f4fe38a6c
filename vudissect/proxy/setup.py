"""What the records of a capture have set up so far: the records with which a file that continues it begins.

A file of a rotated capture must explain itself although the session began in an earlier one. So the records that still
matter are kept: of every open connection its opening, its channels, and of each message the first and the latest
request with its reply. Both are meant by place: for each ring, and the latest also for each memory region, object or
address that a message is about. Requests that wait for their answer are kept, too.

Records are kept as they were encoded. In the next file they have the mark `EARLIER` and the time at which that file
began as their time stamp, so that its packets are in order; the record headers are unchanged.

This is done for every message that is recorded, so most of them must take no more than a look-up. Of equal messages in
a row only the last one is looked at.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from operator import itemgetter
from struct import Struct
from typing import NamedTuple

from vudissect.capture.encoded import HEADER_AT, MESSAGE_AT, SAME_AT, body, details, message_at, repeated, sequence
from vudissect.capture.packet import HEADER
from vudissect.capture.record import Mark, RecordKind
from vudissect.protocol.model import Channel, Layout, Meaning, Row
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.subject import SUBJECTS, Subject
from vudissect.protocol.table import UPSTREAM
from vudissect.wire.header import HEADER_SIZE, NEED_REPLY, REPLY

# The number and the flags of a message without descriptors.
_START = 8
_START_END = MESSAGE_AT + _START
_PAYLOAD_AT = MESSAGE_AT + HEADER_SIZE

_UNSEEN = int(Mark.NOT_FORWARDED)

# Bounds against hostile peers: numbers of messages of a connection, places of a number, requests that wait for an
# answer, and the size of a record that has no effect on the state.
_MOST_NUMBERS = 512
_MOST_PLACES = 1024
_MOST_WAITING = 256
_MOST_BYTES = 4096
_MOST_KNOWN = 4096
# Longer messages are hardly ever repeated.
_SHORT = 256

# A request and its reply, as blocks; or a request that has none, as its block: lists cost the garbage collector time.
_Exchange = list[bytes]
_Kept = _Exchange | bytes
# From a block, with the message where it is without descriptors, to the place that the message is about.
_Place = Callable[[bytes], bytes]


class _Number:
    """What is kept of the messages with one number: the first and the latest by place, and what waits for an answer."""

    __slots__ = ("by_place", "firsts", "waiting")

    def __init__(self) -> None:
        self.firsts: dict[bytes, _Exchange] = {}
        self.by_place: dict[bytes, _Kept] = {}
        self.waiting: deque[_Exchange] = deque(maxlen=_MOST_WAITING)


class _Action(NamedTuple):
    """What to do with a message: where to keep it as a request, or which requests it may answer.

    `is_of_ring`: the place is a ring, so that there are few. `latest_only`: the next one replaces it, and that is all.
    """

    number: _Number
    is_reply: bool = False
    waits: bool = False
    place: _Place | None = None
    undoes: _Number | None = None
    is_of_ring: bool = False
    latest_only: bool = False


_NOTHING: dict[bytes, _Action | None] = {}


@dataclass(slots=True)
class _Connection:
    """What is kept of a connection."""

    opened: bytes
    numbers: dict[tuple[int, int], _Number] = field(default_factory=dict)
    events: dict[tuple[int, ...], bytes] = field(default_factory=dict)

    def number(self, channel: int, number: int) -> _Number | None:
        """What is kept of a message; None if there are too many already."""
        kept = self.numbers.get((channel, number))
        if kept is None and len(self.numbers) < _MOST_NUMBERS:
            kept = self.numbers[channel, number] = _Number()
        return kept

    def blocks(self) -> list[bytes]:
        """Everything, in the order in which it was recorded."""
        rest = {block for kept in self.numbers.values() for block in _blocks(kept)} | set(self.events.values())
        return [self.opened, *sorted(rest, key=sequence)]


class SetUp:
    """Show it every record with `see`; `repeated` has those to repeat."""

    def __init__(self) -> None:
        self._connections: dict[int, _Connection] = {}
        # By record header and start of the message, of messages without descriptors.
        self._known: dict[bytes, dict[bytes, _Action | None]] = {}
        # By record header and message: where the latest is kept, of those for which nothing else is to do.
        self._places: dict[bytes, dict[bytes, tuple[dict[bytes, _Kept], bytes]]] = {}
        self._remembered = 0

    def see(self, runs: Iterable[list[bytes]], recorded: Iterable[list[bytes]]) -> None:
        """Take note of what was recorded, in order: messages in a row as they were on the wire, and their blocks.

        The messages are without descriptors; for other records there are only blocks.
        """
        places_of = self._places.get
        for messages, blocks in zip(runs, recorded, strict=True):
            places = places_of(blocks[0][SAME_AT]) if messages else None
            if places is None:
                self.see_blocks(blocks)
                continue
            message = messages[0]
            # Many messages in a row tend to be equal, and only the last one of them can matter.
            if len(messages) == 1 or messages.count(message) == len(messages):
                place = places.get(message)
                if place is not None:
                    place[0][place[1]] = blocks[-1]
                else:
                    self.see_blocks(blocks)
                continue
            latest = dict(zip(messages, blocks, strict=True))
            if latest.keys() <= places.keys():
                for message, block in latest.items():
                    kept, where = places[message]
                    kept[where] = block
            else:
                # Their number and order may matter.
                self.see_blocks(blocks)

    def see_blocks(self, blocks: Iterable[bytes]) -> None:
        """Take note of records, as the blocks of a capture; the slow way."""
        for block in blocks:
            known = self._known.get(block[SAME_AT], _NOTHING)
            start = block[MESSAGE_AT:_START_END]
            action = known[start] if start in known else self._learn(block)
            if action is not None:
                self._take(action, block)
                if action.latest_only:
                    self._remember(action, block)

    def repeated(self, time: int, most: int) -> tuple[list[bytes], list[int]]:
        """The records to repeat in a file that begins at `time` (ns since the epoch), in `most` bytes.

        Also the connections that miss something because there is no room for it.
        """
        blocks: list[bytes] = []
        partial = []
        for connection, kept in self._connections.items():
            these = kept.blocks()
            size = sum(map(len, these))
            if size > most:
                partial.append(connection)
                these, size = [kept.opened], len(kept.opened)
            if size <= most:
                most -= size
                blocks += these
        return [repeated(block, time) for block in blocks], partial

    def _learn(self, block: bytes) -> _Action | None:
        """What to do with a record that is like none before; one that is not a plain message is dealt with at once."""
        _, kind, _, channel, _, marks, connection, count, *_ = HEADER.unpack_from(block, HEADER_AT)
        if kind != RecordKind.MESSAGE:
            self._event(RecordKind(kind), connection, channel, block)
            return None
        kept = self._connections.get(connection)
        at = message_at(block) if count else MESSAGE_AT
        start = block[at : at + _START]
        action = None
        if kept is not None and marks & _UNSEEN:
            # That the receiver was gone is worth knowing, but it has no effect.
            kept.events.setdefault((kind, channel), block)
        elif kept is not None:
            action = _action(kept, channel, marks, start, len(block))
        if count:
            if action is not None:
                self._take(action, block, bytes(MESSAGE_AT) + block[at:])
            return None
        if len(self._known) >= _MOST_KNOWN:
            self._forget()
        known = self._known.setdefault(block[SAME_AT], {})
        if len(known) < _MOST_KNOWN:
            known[start] = action
        return action

    def _remember(self, action: _Action, block: bytes) -> None:
        """The same message needs one look-up from here on."""
        message = body(block)
        if len(message) > _SHORT:
            return
        if self._remembered >= _MOST_KNOWN:
            self._places.clear()
            self._remembered = 0
        self._remembered += 1
        place = action.place(block) if action.place is not None else b""
        places = self._places.setdefault(block[SAME_AT], {})
        places[message] = action.number.by_place, place

    def _forget(self) -> None:
        """Connections, channels or headers are others from here on."""
        self._known.clear()
        self._places.clear()

    def _take(self, action: _Action, block: bytes, plain: bytes = b"") -> None:
        """Keep a message; `plain` is its block without descriptors, if it has some."""
        number = action.number
        if action.is_reply:
            if number.waiting:
                number.waiting.popleft().append(block)
            return
        exchange = [block]
        if action.waits:
            number.waiting.append(exchange)
        place = action.place(plain or block) if action.place is not None else b""
        first = place if action.is_of_ring else b""
        if first not in number.firsts and len(number.firsts) < _MOST_PLACES:
            number.firsts[first] = exchange
        if action.undoes is not None and action.undoes.by_place.pop(place, None) is not None:
            place = b""
        if len(number.by_place) >= _MOST_PLACES and place not in number.by_place:
            del number.by_place[next(iter(number.by_place))]
        number.by_place[place] = exchange

    def _event(self, kind: RecordKind, number: int, channel: int, block: bytes) -> None:
        if kind is RecordKind.CONNECTION_OPENED:
            self._forget()
            self._connections[number] = _Connection(block)
        kept = self._connections.get(number)
        if kept is None:
            return
        if kind is RecordKind.CONNECTION_CLOSED:
            self._forget()
            del self._connections[number]
        elif kind is RecordKind.CHANNEL_CLOSED:
            self._forget()
            kept.events.pop((RecordKind.CHANNEL_OPENED, channel), None)
            kept.numbers = {place: of_it for place, of_it in kept.numbers.items() if place[0] != channel}
        elif kind is RecordKind.CHANNEL_OPENED:
            kept.events[kind, channel] = block
        elif kind is RecordKind.RING_OBSERVED:
            ring = details(block).get("ring")
            if isinstance(ring, int) and len(kept.events) < _MOST_PLACES:
                kept.events[kind, ring] = block


def _action(kept: _Connection, channel: int, marks: int, start: bytes, size: int) -> _Action | None:
    """What to do with messages that start with this number and these flags."""
    if len(start) < _START:
        return None
    is_big = bool(marks & Mark.BIG_ENDIAN)
    number, flags = Struct(">II" if is_big else "<II").unpack(start)
    row = UPSTREAM.request(Channel(channel), number)
    matters = row is not None and row.purpose.kept
    if not matters and size > _MOST_BYTES:
        return None
    of_it = kept.number(channel, number)
    if of_it is None:
        return None
    if flags & REPLY:
        return _Action(of_it, is_reply=True)
    waits = bool(flags & NEED_REPLY) or (row is not None and bool(row.reply))
    if row is None:
        return _Action(of_it, waits=waits, latest_only=not waits)
    about = SUBJECTS.get(row.purpose, Subject())
    undoes = None
    if about.undoes is not None:
        rows = UPSTREAM.channel(Channel(channel))
        undoes = next(kept.number(channel, other.id) for other in rows if other.purpose is about.undoes)
    place = _place(row, about, is_big=is_big)
    is_of_ring = place is not None and (row.purpose is Purpose.ENABLE_RING or not about.fields)
    return _Action(of_it, False, waits, place, undoes, is_of_ring, not waits and undoes is None)


def _place(row: Row, about: Subject, *, is_big: bool) -> _Place | None:
    """How to find what a message is about; None if it is about the connection as a whole."""
    layout = row.request[0]
    names = about.fields or tuple(each.name for each in layout.fields if each.meaning is Meaning.RING)
    if names:
        spans = [_span(layout, name) for name in names]
        if len(spans) == 1 or all(one.stop == two.start for one, two in pairwise(spans)):
            whole: _Place = itemgetter(slice(spans[0].start, spans[-1].stop))
            return whole
        return lambda block: b"".join(block[span] for span in spans)
    if layout.fields and layout.fields[0].parts:
        # A ring in the low bits of a word.
        ring: _Place = itemgetter(slice(_PAYLOAD_AT, _PAYLOAD_AT + (8 if is_big else 1)))
        return ring
    return None


def _span(layout: Layout, name: str) -> slice:
    """Where a field is in a block without descriptors."""
    at = _PAYLOAD_AT
    for each in layout.fields:
        if each.name == name:
            return slice(at, at + each.size)
        at += each.size
    raise KeyError(name)


def _blocks(kept: _Number) -> Iterator[bytes]:
    for exchange in (*kept.firsts.values(), *kept.by_place.values(), *kept.waiting):
        yield from (exchange,) if isinstance(exchange, bytes) else exchange
