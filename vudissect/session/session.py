"""Records in, events out: one `Session` handles all connections of a capture or of a running proxy.

Theory of operation. A session is a fold: for each record it takes the state of the connection before it, looks up in
the message table what the message does, and makes the state after it. States are values; the only mutable things
here are which state is the latest of a connection, and which requests are pending (`session.pairing`). The order is
always the same: the arbiter sees the record first and may have the connection read again in another dialect, then the
message is decoded, paired with its request or noted as one, and takes effect. No step goes back to an earlier one.

Nobody has seen a message that was not forwarded: it has no effect, and no answer to it is due. Such a reply still
shows that its request was answered. If the recorder withheld it on purpose (a fault), its sender or receiver does not
know that: the request goes on waiting.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from vudissect.capture.observation import observation_of
from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.protocol.model import Channel, Device, Side
from vudissect.protocol.table import UPSTREAM, Protocol
from vudissect.session.arbiter import NOTHING_KNOWN, Arbiter, Known
from vudissect.session.connection import Connection
from vudissect.session.device import DeviceGuess
from vudissect.session.dialect import Detector, Verdict
from vudissect.session.effects import Act
from vudissect.session.event import ConnectionEvent, Event, MessageEvent
from vudissect.session.names import DescriptorNames, NamedDescriptor
from vudissect.session.pairing import Pairing, Request
from vudissect.session.phases import Step
from vudissect.session.plan import Table
from vudissect.session.state import State
from vudissect.wire.codec import WireMessage
from vudissect.wire.fields import to_fields

_NOT_FORWARDED = int(Mark.NOT_FORWARDED)
_ANSWER_UNSEEN = int(Mark.ANSWER_UNSEEN)
_WITHHELD = int(Mark.WITHHELD)
_INJECTED = int(Mark.INJECTED)
_UNMARKED = Mark(0)
# Looking up a member of an enumeration takes as long as making an event, so it is not done for every message.
_MESSAGE, _OPENED = RecordKind.MESSAGE, RecordKind.CONNECTION_OPENED

# Makes a named tuple from a tuple at half the cost, which matters for every message.
_new = tuple.__new__

# The messages that reveal device type and dialect come at the start of a connection: enough to `foresee` them.
RECORDS_TO_GUESS_FROM = 512


class Session:
    """Turns records into events, keeping the state of every open connection.

    `device` and `protocol` are the device type and the dialect if the user selected them, `known` is what is known of
    connections beforehand. Otherwise the device type is guessed; with `detect`, an arbiter decides the dialect.
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
        self._open: dict[int, Connection] = {}
        self._latest: Connection | None = None
        self._tables: dict[str, Table] = {}
        self._names = DescriptorNames()
        # The connections with records since the last gap: the next gap does not change the others.
        self._since_gap: dict[int, Connection] = {}
        self._start = 0
        self.continues = False
        """Whether the capture continues in another file: what is open is not left open."""
        self.time = 0
        """When the latest record was received (ns)."""

    @property
    def states(self) -> dict[int, State]:
        """The states of the open connections, by number."""
        # Records about the capture as a whole have the number 0.
        return {number: connection.state for number, connection in self._open.items() if number}

    def pairing(self, number: int) -> Pairing:
        """The pending requests of an open connection, or of that of the latest record; `KeyError` for others."""
        latest = self._latest
        if latest is not None and latest.state.number == number:
            return latest.pairing
        return self._open[number].pairing

    def owed(self, number: int) -> tuple[Request, ...]:
        """The requests on an open connection that are owed an answer and have none, where the capture ends."""
        return () if self.continues else self.pairing(number).owed()

    def unanswered(self) -> tuple[Request, ...]:
        """The same of all open connections."""
        return tuple(request for number in self._open for request in self.owed(number))

    def dialect(self, number: int) -> Verdict | None:
        """The verdict on the dialect of an open connection; None if it is not watched.

        With very many connections, the oldest are no longer watched.
        """
        return self._arbiter.verdict(number) if self._arbiter is not None else None

    def events(self, records: Iterable[Record]) -> Iterator[Event]:
        """The event of each record, in order."""
        connection_of = self._open.get
        for record in records:
            kind, number, channel, sender, _, received, forwarded, _, length, data, marks, carried, _, frame = record
            connection = connection_of(number)
            # Nearly every message is ordinary: it changes nothing but what is pending, and is known to be so by its
            # form. It gets its event here, in half the time; everything else goes the general way.
            if (
                connection is None
                or marks is not _UNMARKED
                or carried
                or kind is not _MESSAGE
                or connection.watched
                or not connection.since_gap
            ):
                yield self.feed(record)
                continue
            message = connection.table.little_endian.decode(channel, sender, data, length)
            plan = connection.plans.get(message.form)
            if plan is None or not plan.ordinary:
                yield self.feed(record)
                continue
            self.time, self._latest = received, connection
            request = latency = None
            row, number, flags, reply, event_kind, _, owed, awaits, _ = plan
            if reply:
                request = connection.pairing.answer(channel, number, frame)
                if request is not None and received:
                    latency = received - request.forwarded
            elif awaits:
                waits = (frame, forwarded, channel, number, row, owed, flags, 0, 0, False)
                connection.pairing.channels[channel].ask(_new(Request, waits))
            else:
                connection.pairing.channels[channel].unasked[number] = frame
            state = connection.state
            yield _new(
                MessageEvent,
                (record, state, state, event_kind, received - self._start, message, awaits, request, latency, ()),
            )

    def feed(self, record: Record) -> Event:
        """The event of this record, in the context of all records before it."""
        self.time = record.received
        connection = self._latest = self._open.get(record.connection) or self._begin(record)
        if record.kind is _OPENED and record.marks & Mark.EARLIER:
            connection = self._latest = self._begin_again(record)
        if not connection.since_gap:
            connection.since_gap = True
            self._since_gap[record.connection] = connection
        before = self._judge(record, connection) if connection.watched else connection.state
        if record.kind is not _MESSAGE:
            return self._connection_event(record, connection, before)
        message = connection.decode(record)
        if message.problem and self._arbiter is not None and not connection.watched:
            before = self._judge(record, connection)
            message = connection.decode(record)
        return self._message_event(record, connection, before, message)

    def look(self, record: Record) -> MessageEvent:
        """The event that a message would be if it came next; nothing changes."""
        connection = self._open.get(record.connection)
        if connection is None:
            connection = Connection(self._first_state(record.connection, self._protocol), self._table(self._protocol))
        message, state = connection.decode(record), connection.state
        plan = connection.plans.get(message.form) or connection.plan(message)
        request = connection.pairing[record.channel].asked(plan.id) if plan.reply else None
        latency = record.received - request.forwarded if request is not None else None
        descriptors = tuple(self._names.name(descriptor, record.frame) for descriptor in record.descriptors)
        elapsed = record.received - self._start
        return MessageEvent(
            record, state, state, plan.kind, elapsed, message, plan.awaits, request, latency, descriptors
        )

    def _begin(self, record: Record) -> Connection:
        if self._latest is None:
            self._start = record.received
        number = record.connection
        protocol = self._arbiter.begin(number, self._protocol) if self._arbiter is not None else self._protocol
        connection = Connection(self._first_state(number, protocol), self._table(protocol))
        connection.watched = self._arbiter is not None
        self._open[number] = connection
        return connection

    def _begin_again(self, record: Record) -> Connection:
        """The set-up of a connection is repeated from here on; if earlier files have been read, it is known already."""
        self._end(record.connection)
        connection = self._begin(record)
        connection.since_gap = True
        self._since_gap[record.connection] = connection
        return connection

    def _first_state(self, number: int, protocol: Protocol) -> State:
        known = self._known.get(number)
        if self._device is not None:
            guess = DeviceGuess(self._device, True)
        else:
            guess = known.guess if known is not None else DeviceGuess()
        return State(number, protocol, guess)

    def _table(self, protocol: Protocol) -> Table:
        table = self._tables.get(protocol.key)
        if table is None:
            table = self._tables[protocol.key] = Table(protocol)
        return table

    def _judge(self, record: Record, connection: Connection) -> State:
        """Show the arbiter a record; return the state before it, rebuilt if the dialect changed."""
        assert self._arbiter is not None
        judgement = self._arbiter.judge(record, connection.state.protocol)
        connection.watched = self._arbiter.is_watched(record.connection)
        if judgement is None:
            return connection.state
        before = connection.state.protocol
        if judgement.again is None:
            state = replace(connection.state, protocol=judgement.protocol)
        else:
            state = self._first_state(record.connection, judgement.protocol)
        connection.use(state, self._table(judgement.protocol))
        if judgement.again is not None:
            connection.pairing = Pairing()
            for earlier in judgement.again:
                self._fold(earlier, connection)
        return replace(connection.state, protocol=before)

    def _fold(self, record: Record, connection: Connection) -> None:
        """Process a record again."""
        if record.kind is _MESSAGE:
            self._message_event(record, connection, connection.state, connection.decode(record))
        else:
            self._connection_event(record, connection, connection.state)

    def _message_event(
        self, record: Record, connection: Connection, before: State, message: WireMessage
    ) -> MessageEvent:
        _, _, channel, _, _, received, forwarded, _, _, _, marks, carried, _, frame = record
        seen = marks is _UNMARKED or not int(marks) & _NOT_FORWARDED
        withheld = not seen and bool(int(marks) & _WITHHELD)
        plan = connection.plans.get(message.form) or connection.plan(message)
        row, number, flags, reply, kind, apply, owed, awaits, _ = plan
        descriptors: tuple[NamedDescriptor, ...] = ()
        if carried:
            descriptors = tuple(self._names.name(descriptor, frame) for descriptor in carried)
        request = latency = None
        if reply:
            if withheld:
                request = connection.pairing[channel].withhold(number, frame)
            else:
                request = connection.pairing.answer(channel, number, frame)
            if request is not None and received:  # 0: the source has no times
                latency = received - request.forwarded
        elif not seen:
            if awaits and withheld:
                # Its sender does not know that, and waits.
                waits = (frame, received, channel, number, row, owed, flags, 0, frame, False)
                connection.pairing[channel].ask(_new(Request, waits))
        elif marks is not _UNMARKED and int(marks) & _ANSWER_UNSEEN:
            awaits = False
        elif awaits:
            injected = marks is not _UNMARKED and bool(int(marks) & _INJECTED)
            unsent = injected and not connection.pairing[channel].withdraw(number)
            waits = (frame, forwarded, channel, number, row, owed, flags, 0, 0, unsent)
            connection.pairing[channel].ask(_new(Request, waits))
        else:
            connection.pairing[channel].unasked[number] = frame
        if apply is not None and seen:
            fields = to_fields(message.layout, message.values)
            asked_in = request.frame if request is not None else 0
            act = Act(row.purpose, fields, descriptors, frame, received, awaits, asked_in)
            connection.change(apply(connection.state, act))
        elif seen and record.is_cut and not message.fits:
            # What it has changed is unknown.
            connection.state = connection.state.interrupted()
        return _new(
            MessageEvent,
            (
                record, before, connection.state, kind, received - self._start, message, awaits and (seen or withheld),
                request, latency, descriptors,
            ),
        )  # fmt: skip

    def _connection_event(self, record: Record, connection: Connection, before: State) -> ConnectionEvent:
        unanswered: tuple[Request, ...] = ()
        state = connection.state
        if record.kind is RecordKind.CONNECTION_OPENED:
            guess = state.guess.after_program(record.programs[Side.BACK_END], record.back_end_executable)
            guess = guess.named(record.device)
            connection.state = replace(
                state, opened=record.frame, programs=record.programs, guess=guess, device_id=record.device_id
            )
        elif record.kind is RecordKind.CHANNEL_CLOSED:
            unanswered = connection.pairing.close(record.channel)
        elif record.kind is RecordKind.GAP:
            self._interrupt(connection if record.connection else None)
        elif record.kind is RecordKind.RING_OBSERVED:
            connection.state = _observed(state, record)
        elif record.kind is RecordKind.CONTINUED:
            self.continues = "next" in record.details
        elif record.kind is RecordKind.CONNECTION_CLOSED:
            connection.state = state.after_step(Step.CLOSED)
            unanswered = tuple(request for channel in Channel for request in connection.pairing.close(channel))
            self._end(record.connection)
        elapsed = record.received - self._start
        return ConnectionEvent(record, before, connection.state, elapsed, unanswered)

    def _interrupt(self, connection: Connection | None) -> None:
        """Messages are missing from one connection, or possibly from all."""
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


def _observed(state: State, record: Record) -> State:
    """The state after a look into a ring."""
    seen = observation_of(record.details)
    ring = state.rings.get(seen.ring) if seen is not None else None
    if seen is None or ring is None:
        return state
    return state.with_ring(replace(ring, seen=seen._replace(time=seen.time or record.received), seen_in=record.frame))


def foresee(records: Iterable[Record], device: Device | None = None) -> dict[int, Known]:
    """The device type and the dialect of each connection, according to these records.

    The device type is `device` if the user selected it.
    """
    known: dict[int, Known] = {}
    detectors: dict[int, Detector] = {}
    session = Session(device)
    for record in records:
        state = session.feed(record).after
        detector = detectors.setdefault(state.number, Detector())
        detector.see(record)
        known[state.number] = Known(state.guess, detector)
    return known
