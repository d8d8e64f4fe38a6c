"""Records in, events out: one `Session` understands all connections of a capture or of a running proxy."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from vudissect.capture.keys import KEY_STARTS, without_keys
from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.session.connection import Connection, Postcopy
from vudissect.session.device import DeviceGuess
from vudissect.session.dialect import Detector, Verdict
from vudissect.session.effects import ON_REPLY, ON_REQUEST, Act, Apply
from vudissect.session.event import Event, Kind
from vudissect.session.names import DescriptorNames, NamedDescriptor
from vudissect.session.pairing import Request
from vudissect.session.phases import Step
from vudissect.session.watch import Watches
from vudissect.spec.model import Answer, Channel, Device, Message
from vudissect.spec.payloads import ACK
from vudissect.spec.table import UPSTREAM, Protocol
from vudissect.wire.codec import Codec, WireMessage, codec_of
from vudissect.wire.fields import to_fields
from vudissect.wire.header import NEED_REPLY

_BIG_ENDIAN = int(Mark.BIG_ENDIAN)

# Makes a named tuple of a tuple at half the cost, which counts for what is made for every message.
_new = tuple.__new__
_COMMANDS = ("front_end_command", "back_end_command")

# What tells the device type and the dialect is said while a connection is set up: enough to `foresee` them.
RECORDS_TO_GUESS_FROM = 512


class Known(NamedTuple):
    """What a look ahead has told of a connection."""

    device: Device | None
    detector: Detector


NOTHING_KNOWN: Mapping[int, Known] = MappingProxyType({})


class _Table(NamedTuple):
    """A protocol made ready for use: codecs by byte order (little, big), effects by row.

    Rows are hashed by identity; an enumeration such as `Effect` is hashed in Python, too slow for every message.
    """

    codecs: tuple[Codec, Codec]
    on_request: dict[Message, Apply]
    on_reply: dict[Message, Apply]


class Session:
    """Turns records into events, keeping the state of every open connection.

    A decoded message never has key material, so that no view can show any; its record is as the capture has it.

    `device` and `protocol` are the device type and the dialect if the user told them, `known` what is known of a
    connection beforehand. The device type is guessed otherwise; with `detect`, the dialect is judged by the messages,
    and when the judgement changes the connection's state is worked out again from its beginning.
    """

    def __init__(
        self,
        device: Device | None = None,
        known: Mapping[int, Known] = NOTHING_KNOWN,
        protocol: Protocol = UPSTREAM,
        *,
        detect: bool = False,
    ) -> None:
        self.connections: dict[int, Connection] = {}
        self._device = device
        self._known = known
        self._protocol = protocol
        self._detect = detect
        self._watches = Watches()
        self._tables: dict[str, _Table] = {}
        self._names = DescriptorNames()
        # The connections that have said something since the last gap: the next one has no more to tell the others.
        self._since_gap: dict[int, Connection] = {}
        self._start: int | None = None

    def events(self, records: Iterable[Record]) -> Iterator[Event]:
        """The event of each record, in order."""
        return map(self.feed, records)

    def feed(self, record: Record) -> Event:
        """What this record means, after all that came before it."""
        if self._start is None:
            self._start = record.received
        elapsed = record.received - self._start
        connection = self.connections.get(record.connection)
        if connection is None:
            connection = self._new_connection(record.connection)
        else:
            connection.forget_changes()
        if not connection.since_gap:
            connection.since_gap = True
            self._since_gap[record.connection] = connection
        if connection.watched:
            connection = self._judge(record, connection)
        return self._understand(record, connection, elapsed)

    def dialect(self, number: int) -> Verdict | None:
        """What the messages of an open connection say of its dialect, and why; None where that is not looked into.

        With very many connections those that began first are no longer looked into.
        """
        watch = self._watches.get(number)
        return watch.detector.verdict if watch is not None else None

    def _understand(self, record: Record, connection: Connection, elapsed: int) -> Event:
        connection.frame, connection.time = record.frame, record.received
        if record.kind is not RecordKind.MESSAGE:
            return self._connection_event(record, connection, elapsed)
        table = self._tables[connection.protocol.key]
        codec = table.codecs[bool(int(record.marks) & _BIG_ENDIAN)]
        data = record.data
        if data[:4] in KEY_STARTS[record.channel]:
            data = without_keys(record.channel, data)
        message = codec.decode(record.channel, record.sender, data, record.length)
        if message.problem and self._detect and not connection.watched:
            connection = self._judge(record, connection)
            table = self._tables[connection.protocol.key]
            message = table.codecs[codec.byte_order == "big"].decode(record.channel, record.sender, data, record.length)
        descriptors = (
            tuple(self._names.name(descriptor, record.frame) for descriptor in record.descriptors)
            if record.descriptors
            else ()
        )
        if message.reply:
            return self._reply(table, record, connection, elapsed, message, descriptors)
        return self._request(table, record, connection, elapsed, message, descriptors)

    def unanswered(self) -> tuple[Request, ...]:
        """The requests on open connections that are owed an answer and have none."""
        return tuple(
            request
            for connection in self.connections.values()
            for waiting in connection.waiting
            for request in waiting.owed()
        )

    def _new_connection(self, number: int, protocol: Protocol | None = None) -> Connection:
        known = self._known.get(number)
        if protocol is None:
            protocol = known.detector.dialect.protocol if known is not None and self._detect else self._protocol
        device = self._device or (known.device if known is not None else None)
        self._make_ready(protocol)
        connection = Connection(number, protocol, DeviceGuess(device))
        self.connections[number] = connection
        if self._detect:
            self._watches.begin(number, known.detector if known is not None else Detector())
            connection.watched = True
        return connection

    def _make_ready(self, protocol: Protocol) -> None:
        if protocol.key not in self._tables:
            self._tables[protocol.key] = _Table(
                (codec_of(protocol, "little"), codec_of(protocol, "big")),
                {row: ON_REQUEST[row.effect] for row in protocol.messages if row.effect in ON_REQUEST},
                {row: ON_REPLY[row.effect] for row in protocol.messages if row.effect in ON_REPLY},
            )

    def _judge(self, record: Record, connection: Connection) -> Connection:
        """Ask what a record says of the dialect; the connection as it is after all that was said, in that dialect."""
        watch = self._watches.get(record.connection)
        if watch is None:
            connection.watched = False
            return connection
        before = connection.protocol
        if self._watches.see(watch, record) and watch.detector.dialect.protocol is not before:
            after = watch.detector.dialect.protocol
            if connection.watched:
                connection = self._new_connection(record.connection, after)
                connection.since_gap = True
                self._since_gap[record.connection] = connection
                for earlier in watch.records:
                    self._understand(earlier, connection, 0)
                    connection.forget_changes()
            else:
                self._make_ready(after)
                connection.speak(after)
            connection.changed("dialect", before.key, after.key)
        if connection.watched:
            connection.watched = self._watches.keep(watch, record)
        return connection

    def _request(
        self,
        table: _Table,
        record: Record,
        connection: Connection,
        elapsed: int,
        message: WireMessage,
        descriptors: tuple[NamedDescriptor, ...],
    ) -> Event:
        row = message.row
        replaced = ""
        if row is None:
            owed = False
        else:
            owed = row.answer is not Answer.NEVER and connection.owes_reply(row, message.flags)
            if owed and row.answer is Answer.IF_POSTCOPY and _ends_postcopy_exchange(connection, message):
                owed = False
            apply = table.on_request.get(row)
            if apply is not None:
                replaced = _take_effect(apply, row, record, connection, message, descriptors)
        awaits = owed or row is None or bool(message.flags & NEED_REPLY)
        if awaits:
            connection.waiting[record.channel].ask(
                Request(record.frame, record.forwarded, record.channel, message.id, row, owed, message.flags)
            )
        else:
            connection.waiting[record.channel].unasked[message.id] = record.frame
        kind = Kind.MALFORMED if message.problem else Kind.REQUEST
        return _new(Event, (record, connection, kind, elapsed, message, awaits, None, None, descriptors, replaced, ()))

    def _reply(
        self,
        table: _Table,
        record: Record,
        connection: Connection,
        elapsed: int,
        message: WireMessage,
        descriptors: tuple[NamedDescriptor, ...],
    ) -> Event:
        request = connection.waiting[record.channel].answer(message.id, record.frame)
        latency = None if request is None else record.received - request.forwarded
        if request is not None and record.channel is Channel.MAIN:
            connection.answered = request.frame
        row = message.row
        apply = table.on_reply.get(row) if row is not None else None
        if row is not None and apply is not None and not message.error:
            _take_effect(apply, row, record, connection, message, descriptors)
        kind = Kind.MALFORMED if message.problem else Kind.ACK if message.layout is ACK else Kind.REPLY
        return _new(Event, (record, connection, kind, elapsed, message, False, request, latency, descriptors, "", ()))

    def _interrupt(self, connection: Connection | None) -> None:
        """Messages are missing from one connection, or from any of them."""
        if connection is not None:
            connection.interrupt()
            return
        for missed in self._since_gap.values():
            missed.interrupt()
            missed.since_gap = False
        self._since_gap.clear()

    def _connection_event(self, record: Record, connection: Connection, elapsed: int) -> Event:
        unanswered: tuple[Request, ...] = ()
        if record.kind is RecordKind.CONNECTION_OPENED:
            connection.opened = record.frame
            front_end, back_end = (str(record.details.get(key, "")) for key in _COMMANDS)
            connection.programs = (front_end, back_end)
            connection.guess.see_program(back_end)
        elif record.kind is RecordKind.CHANNEL_CLOSED:
            unanswered = connection.close_channel(record.channel)
        elif record.kind is RecordKind.GAP:
            self._interrupt(connection if record.connection else None)
        elif record.kind is RecordKind.CONNECTION_CLOSED:
            connection.step(Step.CLOSED)
            unanswered = tuple(request for channel in Channel for request in connection.close_channel(channel))
            del self.connections[record.connection]
            self._watches.end(record.connection)
            self._since_gap.pop(record.connection, None)
        return Event(record, connection, Kind.EVENT, elapsed, unanswered=unanswered)


def _take_effect(
    apply: Apply,
    row: Message,
    record: Record,
    connection: Connection,
    message: WireMessage,
    descriptors: tuple[NamedDescriptor, ...],
) -> str:
    """Let a message change the connection; the name of a descriptor that it puts out of use."""
    if message.layout is None:
        return ""
    act = Act(row.effect, connection, to_fields(message.layout, message.values), descriptors, record.frame)
    apply(act)
    return act.replaced


def _ends_postcopy_exchange(connection: Connection, message: WireMessage) -> bool:
    """Whether the front-end only takes note of the addresses that it got; nobody answers that."""
    layout = message.layout
    if layout is None or connection.postcopy is not Postcopy.LISTENING:
        return False
    return layout.bare or (layout.array is not None and not message.values[-1])


def foresee(records: Iterable[Record]) -> dict[int, Known]:
    """The device type and the dialect of each connection, as far as these records tell."""
    known: dict[int, Known] = {}
    detectors: dict[int, Detector] = {}
    session = Session()
    for record in records:
        connection = session.feed(record).connection
        detector = detectors.setdefault(connection.number, Detector())
        detector.see(record)
        known[connection.number] = Known(connection.guess.device, detector)
    return known
