"""Records in, events out: one `Session` understands all connections of a capture or of a running proxy."""

from collections.abc import Iterable, Iterator, Mapping

from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.session.connection import Connection, Postcopy
from vudissect.session.device import DeviceGuess
from vudissect.session.effects import ON_REPLY, ON_REQUEST, Act, Apply
from vudissect.session.event import Event, Kind
from vudissect.session.names import DescriptorNames, NamedDescriptor
from vudissect.session.pairing import Request
from vudissect.session.phases import Step
from vudissect.spec.model import Answer, Channel, Device, Message
from vudissect.spec.payloads import ACK
from vudissect.spec.table import UPSTREAM, Protocol
from vudissect.wire.codec import Codec, WireMessage
from vudissect.wire.fields import to_fields
from vudissect.wire.header import NEED_REPLY

_BIG_ENDIAN = int(Mark.BIG_ENDIAN)

# Makes a named tuple of a tuple at half the cost, which counts for what is made for every message.
_new = tuple.__new__
_COMMANDS = ("front_end_command", "back_end_command")
_NO_DEVICES: Mapping[int, Device | None] = {}


class Session:
    """Turns records into events, keeping the state of every open connection.

    `device` is the device type if the user told it, `devices` that of each connection where it is known beforehand;
    without them it is guessed on the way.
    """

    def __init__(
        self,
        device: Device | None = None,
        devices: Mapping[int, Device | None] = _NO_DEVICES,
        protocol: Protocol = UPSTREAM,
    ) -> None:
        self.protocol = protocol
        self.connections: dict[int, Connection] = {}
        self._device = device
        self._devices = devices
        self._names = DescriptorNames()
        self._little = Codec(protocol, "little")
        self._big = Codec(protocol, "big")
        # By row, which is hashed by identity: an enumeration is hashed in Python, too slow for every message.
        self._on_request = {row: ON_REQUEST[row.effect] for row in protocol.messages if row.effect in ON_REQUEST}
        self._on_reply = {row: ON_REPLY[row.effect] for row in protocol.messages if row.effect in ON_REPLY}
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
        elif connection.changes:
            connection.changes = []
        connection.frame, connection.time = record.frame, record.received
        if record.kind is not RecordKind.MESSAGE:
            return self._connection_event(record, connection, elapsed)
        codec = self._big if int(record.marks) & _BIG_ENDIAN else self._little
        message = codec.decode(record.channel, record.sender, record.data, record.length)
        descriptors = (
            tuple(self._names.name(descriptor, record.frame) for descriptor in record.descriptors)
            if record.descriptors
            else ()
        )
        if message.reply:
            return self._reply(record, connection, elapsed, message, descriptors)
        return self._request(record, connection, elapsed, message, descriptors)

    def unanswered(self) -> tuple[Request, ...]:
        """The requests on open connections that are owed an answer and have none."""
        return tuple(
            request
            for connection in self.connections.values()
            for waiting in connection.waiting
            for request in waiting.owed()
        )

    def _new_connection(self, number: int) -> Connection:
        connection = Connection(number, self.protocol, DeviceGuess(self._device or self._devices.get(number)))
        self.connections[number] = connection
        return connection

    def _request(
        self,
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
            apply = self._on_request.get(row)
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
        apply = self._on_reply.get(row) if row is not None else None
        if row is not None and apply is not None:
            _take_effect(apply, row, record, connection, message, descriptors)
        kind = Kind.MALFORMED if message.problem else Kind.ACK if message.layout is ACK else Kind.REPLY
        return _new(Event, (record, connection, kind, elapsed, message, False, request, latency, descriptors, "", ()))

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
            for missed in [connection] if record.connection else self.connections.values():
                missed.interrupt()
        elif record.kind is RecordKind.CONNECTION_CLOSED:
            connection.step(Step.CLOSED)
            unanswered = tuple(request for channel in Channel for request in connection.close_channel(channel))
            del self.connections[record.connection]
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


def guess_devices(records: Iterable[Record]) -> dict[int, Device | None]:
    """The device type of each connection, as far as these records tell."""
    session = Session()
    devices: dict[int, Device | None] = {}
    for event in session.events(records):
        devices[event.connection.number] = event.connection.guess.device
    return devices
