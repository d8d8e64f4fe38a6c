"""Records in, events out: one `Session` understands all connections of a capture or of a running proxy.

Theory of operation. A session is a fold: for each record it has the state of the connection before it, asks the message
table what the message does, and makes the state after it. States are values; all that changes in here is which one is
the latest of a connection, and which requests wait for an answer (`session.pairing`). The order is always the same:
the arbiter sees the record first and may have the connection read again in another dialect, then the message is
decoded, paired with its request or noted as one, and takes effect. Nothing of that goes back to an earlier step.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from vudissect.capture.keys import KEY_NUMBERS, without_keys
from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.protocol.model import Answer, Channel, Device, Row, Side
from vudissect.protocol.payloads import ACK
from vudissect.protocol.table import UPSTREAM, Protocol
from vudissect.session.arbiter import NOTHING_KNOWN, Arbiter, Known
from vudissect.session.device import DeviceGuess
from vudissect.session.dialect import Detector, Verdict
from vudissect.session.effects import ON_REPLY, ON_REQUEST, Act, Apply
from vudissect.session.event import Event, Kind
from vudissect.session.names import DescriptorNames
from vudissect.session.pairing import Pairing, Request
from vudissect.session.phases import Step
from vudissect.session.state import Postcopy, State
from vudissect.wire.codec import Codec, WireMessage
from vudissect.wire.fields import to_fields
from vudissect.wire.header import NEED_REPLY

_BIG_ENDIAN = int(Mark.BIG_ENDIAN)

# Makes a named tuple of a tuple at half the cost, which counts for what is made for every message.
_new = tuple.__new__
_COMMANDS = ("front_end_command", "back_end_command")

# What tells the device type and the dialect is said while a connection is set up: enough to `foresee` them.
RECORDS_TO_GUESS_FROM = 512


class _Table(NamedTuple):
    """A protocol made ready for use: codecs by byte order (little, big), effects by row.

    Rows are hashed by identity; an enumeration such as `Purpose` is hashed in Python, too slow for every message.
    """

    codecs: tuple[Codec, Codec]
    on_request: dict[Row, Apply]
    on_reply: dict[Row, Apply]


class Session:
    """Turns records into events, keeping the state of every open connection.

    `device` and `protocol` are the device type and the dialect if the user named them, `known` what is known of a
    connection beforehand. The device type is guessed otherwise; with `detect`, an arbiter decides the dialect.
    """

    def __init__(
        self,
        device: Device | None = None,
        known: Mapping[int, Known] = NOTHING_KNOWN,
        protocol: Protocol = UPSTREAM,
        *,
        detect: bool = False,
    ) -> None:
        self._device = device
        self._known = known
        self._protocol = protocol
        self._arbiter = Arbiter(known) if detect else None
        self._open: dict[int, _Connection] = {}
        self._latest: _Connection | None = None
        self._tables: dict[str, _Table] = {}
        self._names = DescriptorNames()
        # The connections with records since the last gap: the next one has nothing new for the others.
        self._since_gap: dict[int, _Connection] = {}
        self._start: int | None = None

    @property
    def states(self) -> dict[int, State]:
        """The states of the open connections, by number."""
        return {number: connection.state for number, connection in self._open.items()}

    def pairing(self, number: int) -> Pairing:
        """What waits for an answer on an open connection, or on that of the latest record; `KeyError` for others."""
        latest = self._latest
        if latest is not None and latest.state.number == number:
            return latest.pairing
        return self._open[number].pairing

    def unanswered(self) -> tuple[Request, ...]:
        """The requests on open connections that are owed an answer and have none."""
        return tuple(request for connection in self._open.values() for request in connection.pairing.owed())

    def dialect(self, number: int) -> Verdict | None:
        """What the messages of an open connection say of its dialect, and why; None where that is not looked into.

        With very many connections those that began first are no longer looked into.
        """
        return self._arbiter.verdict(number) if self._arbiter is not None else None

    def events(self, records: Iterable[Record]) -> Iterator[Event]:
        """The event of each record, in order."""
        return map(self.feed, records)

    def feed(self, record: Record) -> Event:
        """What this record means, after all that came before it."""
        if self._start is None:
            self._start = record.received
        elapsed = record.received - self._start
        connection = self._latest = self._open.get(record.connection) or self._begin(record.connection)
        if not connection.since_gap:
            connection.since_gap = True
            self._since_gap[record.connection] = connection
        before = self._judge(record, connection) if connection.watched else connection.state
        if record.kind is not RecordKind.MESSAGE:
            return self._connection_event(record, connection, before, elapsed)
        message = self._decode(record, connection)
        if message.problem and self._arbiter is not None and not connection.watched:
            before = self._judge(record, connection)
            message = self._decode(record, connection)
        return self._message_event(record, connection, before, elapsed, message)

    def _begin(self, number: int) -> "_Connection":
        protocol = self._arbiter.begin(number, self._protocol) if self._arbiter is not None else self._protocol
        connection = _Connection(self._first_state(number, protocol), self._table(protocol))
        connection.watched = self._arbiter is not None
        self._open[number] = connection
        return connection

    def _first_state(self, number: int, protocol: Protocol) -> State:
        known = self._known.get(number)
        device = self._device or (known.device if known is not None else None)
        return State(number, protocol, DeviceGuess(device, device is not None))

    def _table(self, protocol: Protocol) -> _Table:
        table = self._tables.get(protocol.key)
        if table is None:
            table = self._tables[protocol.key] = _Table(
                (Codec(protocol, "little"), Codec(protocol, "big")),
                {row: ON_REQUEST[row.purpose] for row in protocol.messages if row.purpose in ON_REQUEST},
                {row: ON_REPLY[row.purpose] for row in protocol.messages if row.purpose in ON_REPLY},
            )
        return table

    def _judge(self, record: Record, connection: "_Connection") -> State:
        """Let the arbiter see a record; the state before it, as an event has it."""
        assert self._arbiter is not None
        judgement = self._arbiter.judge(record, connection.state.protocol)
        connection.watched = self._arbiter.is_watched(record.connection)
        if judgement is None:
            return connection.state
        spoken = connection.state.protocol
        connection.table = self._table(judgement.protocol)
        if judgement.again is None:
            connection.state = replace(connection.state, protocol=judgement.protocol)
        else:
            connection.state = self._first_state(record.connection, judgement.protocol)
            connection.pairing = Pairing()
            for earlier in judgement.again:
                self._fold(earlier, connection)
        return replace(connection.state, protocol=spoken)

    def _fold(self, record: Record, connection: "_Connection") -> None:
        """Take in a record again."""
        if record.kind is RecordKind.MESSAGE:
            self._message_event(record, connection, connection.state, 0, self._decode(record, connection))
        else:
            self._connection_event(record, connection, connection.state, 0)

    @staticmethod
    def _decode(record: Record, connection: "_Connection") -> WireMessage:
        codec = connection.table.codecs[bool(int(record.marks) & _BIG_ENDIAN)]
        message = codec.decode(record.channel, record.sender, record.data, record.length)
        if message.id in KEY_NUMBERS:
            data = without_keys(record.channel, record.data)
            return codec.decode(record.channel, record.sender, data, record.length)
        return message

    def _message_event(
        self, record: Record, connection: "_Connection", before: State, elapsed: int, message: WireMessage
    ) -> Event:
        descriptors = (
            tuple(self._names.name(descriptor, record.frame) for descriptor in record.descriptors)
            if record.descriptors
            else ()
        )
        row = message.row
        if message.reply:
            request = connection.pairing.answer(record.channel, message.id, record.frame)
            latency = None if request is None else record.received - request.forwarded
            apply = connection.table.on_reply.get(row) if row is not None and not message.error else None
            kind = Kind.MALFORMED if message.problem else Kind.ACK if message.layout is ACK else Kind.REPLY
            awaits = False
        else:
            request = latency = None
            apply = connection.table.on_request.get(row) if row is not None else None
            kind = Kind.MALFORMED if message.problem else Kind.REQUEST
            awaits = _ask(record, connection, message)
        if apply is not None and message.layout is not None and row is not None:
            fields = to_fields(message.layout, message.values)
            asked_in = request.frame if request is not None else 0
            connection.state = apply(
                connection.state,
                Act(row.purpose, fields, descriptors, record.frame, record.received, awaits, asked_in),
            )
        after = connection.state
        return _new(Event, (record, before, after, kind, elapsed, message, awaits, request, latency, descriptors, ()))

    def _connection_event(self, record: Record, connection: "_Connection", before: State, elapsed: int) -> Event:
        unanswered: tuple[Request, ...] = ()
        state = connection.state
        if record.kind is RecordKind.CONNECTION_OPENED:
            programs = (str(record.details.get(_COMMANDS[0], "")), str(record.details.get(_COMMANDS[1], "")))
            guess = state.guess.after_program(programs[Side.BACK_END])
            connection.state = replace(state, opened=record.frame, programs=programs, guess=guess)
        elif record.kind is RecordKind.CHANNEL_CLOSED:
            unanswered = connection.pairing.close(record.channel)
        elif record.kind is RecordKind.GAP:
            self._interrupt(connection if record.connection else None)
        elif record.kind is RecordKind.CONNECTION_CLOSED:
            connection.state = state.after_step(Step.CLOSED)
            unanswered = tuple(request for channel in Channel for request in connection.pairing.close(channel))
            self._end(record.connection)
        return Event(record, before, connection.state, Kind.EVENT, elapsed, unanswered=unanswered)

    def _interrupt(self, connection: "_Connection | None") -> None:
        """Messages are missing from one connection, or from any of them."""
        if connection is not None:
            connection.interrupt()
            return
        for missed in self._since_gap.values():
            missed.interrupt()
            missed.since_gap = False
        self._since_gap.clear()

    def _end(self, number: int) -> None:
        del self._open[number]
        self._since_gap.pop(number, None)
        if self._arbiter is not None:
            self._arbiter.end(number)


class _Connection:
    """An open connection: its state now, what waits for an answer, and the table that it is read with."""

    __slots__ = ("pairing", "since_gap", "state", "table", "watched")

    def __init__(self, state: State, table: _Table) -> None:
        self.state = state
        self.table = table
        self.pairing = Pairing()
        self.watched = False
        self.since_gap = False

    def interrupt(self) -> None:
        """Messages were missed."""
        self.state = self.state.interrupted()
        self.pairing.interrupt()


def _ask(record: Record, connection: _Connection, message: WireMessage) -> bool:
    """Take note of a request; whether an answer to it is due or possible."""
    row, state = message.row, connection.state
    owed = row is not None and row.answer is not Answer.NEVER and state.owes_reply(row, message.flags)
    if owed and row is not None and row.answer is Answer.IF_POSTCOPY and _ends_postcopy_exchange(state, message):
        owed = False
    waiting = connection.pairing[record.channel]
    if owed or row is None or message.flags & NEED_REPLY:
        waiting.ask(Request(record.frame, record.forwarded, record.channel, message.id, row, owed, message.flags))
        return True
    waiting.unasked[message.id] = record.frame
    return False


def _ends_postcopy_exchange(state: State, message: WireMessage) -> bool:
    """Whether the front-end only takes note of the addresses that it got; nobody answers that."""
    layout = message.layout
    if layout is None or state.postcopy is not Postcopy.LISTENING:
        return False
    return layout.bare or (layout.array is not None and not message.values[-1])


def foresee(records: Iterable[Record]) -> dict[int, Known]:
    """The device type and the dialect of each connection, as far as these records show them."""
    known: dict[int, Known] = {}
    detectors: dict[int, Detector] = {}
    session = Session()
    for record in records:
        state = session.feed(record).after
        detector = detectors.setdefault(state.number, Detector())
        detector.see(record)
        known[state.number] = Known(state.guess.device, detector)
    return known
