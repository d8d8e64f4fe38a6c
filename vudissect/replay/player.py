"""Plays one side of a recorded session, message by message, against a side that is alive.

What messages mean is the session's business, whether they are as they were is `compare`'s, how they pass the lines'.
"""

import time
from contextlib import suppress
from typing import BinaryIO, Final, NamedTuple

from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.compare.messages import Identities, compare
from vudissect.compare.outcome import Difference, Outcome, Trouble, Value
from vudissect.compare.policy import CLOSE, CONNECTION, How, Policy
from vudissect.host.descriptor import Descriptor
from vudissect.host.inspect import inspect
from vudissect.host.peer import this_process
from vudissect.replay.channels import Channels
from vudissect.replay.keys import Keys
from vudissect.replay.line import MOST_PAYLOAD, Line, LineError, Parcel
from vudissect.replay.meeting import Meeting
from vudissect.replay.resume import Resume
from vudissect.replay.rings import lay
from vudissect.replay.script import Script
from vudissect.replay.stock import Stock
from vudissect.replay.tape import Tape
from vudissect.session.event import Event
from vudissect.session.session import Session
from vudissect.spec.effect import Effect
from vudissect.spec.model import Channel, Side
from vudissect.wire.fields import to_fields
from vudissect.wire.header import ByteOrder

# How long one who has left waits for the other side to leave, too, and to say what it still had to say (s).
_FAREWELL: Final = 1.0

# What the system call can be told (s); the times of a recording may be anything.
_LONGEST_PAUSE: Final = 1_000_000

_NO_MARKS: Final = Mark(0)
_RING_EFFECTS: Final = frozenset({Effect.SET_RING_ADDRESSES, Effect.SET_RING_BASE, Effect.SET_KICK})


class Options(NamedTuple):
    """How to play.

    `speed`: 0 as fast as answers come, else in real time, so many times faster than recorded. `timeout` is for each
    answer (s). `keep_going`: go on after a difference, as well as can be. `output` gets a capture of the session.
    """

    speed: float = 0.0
    timeout: float = 10.0
    keep_going: bool = False
    output: BinaryIO | None = None


class _EndError(Exception):
    """There is no going on."""


class Player:
    """Plays a script once."""

    def __init__(self, script: Script, meeting: Meeting, policy: Policy, options: Options) -> None:
        self._script = script
        self._meeting = meeting
        self._policy = policy
        self._options = options
        self._outcome = Outcome(script.side, recorded=list(script.records), known=script.known)
        self._identities = Identities()
        self._recorded = Session(known=script.known, detect=True)
        self._live = Session(known=script.known, detect=True)
        self._stock = Stock()
        self._keys = Keys()
        self._tape = Tape(options.output)
        self._channels = Channels(self._stock)
        self._memory: dict[str, int] = {}
        self._played: set[int] = set()
        self._resume = Resume(script)
        self._start = 0.0
        self._first = next((record.received for record in script.records if record.frame >= script.first), 0)

    def play(self) -> Outcome:
        """Play it to the end, or to the first difference."""
        own = time.thread_time()
        self._start = time.monotonic()
        with suppress(_EndError):
            try:
                for record in self._script.records:
                    self._step(self._recorded.feed(record))
                if self._script.whole:
                    for connection in self._channels.connections:
                        self._leave(connection, 0)
            finally:
                self._channels.close()
                self._stock.close()
        outcome = self._outcome
        outcome.live = self._tape.records
        outcome.unplayed = [record.frame for record in self._script.messages if record.frame not in self._played]
        outcome.remarks += self._stock.remarks
        outcome.remarks += self._keys.remarks
        outcome.seconds = time.monotonic() - self._start
        outcome.own_seconds = time.thread_time() - own
        if self._script.records:
            outcome.recorded_seconds = max(0, self._script.records[-1].received - self._first) / 1e9
        return outcome

    def _step(self, event: Event) -> None:
        record = event.record
        if record.frame < self._script.first:
            self._live.feed(self._tape.pretend(record))
        elif record.kind is RecordKind.CONNECTION_OPENED:
            self._open(event)
        elif record.kind is RecordKind.CONNECTION_CLOSED:
            self._close(event)
        elif record.kind is RecordKind.CHANNEL_CLOSED:
            if record.details.get("by") == self._script.side.label:
                self._channels.hang_up(record.connection, record.channel)
        elif record.kind is RecordKind.MESSAGE and not self._resume.skips(event):
            if record.sender is self._script.side:
                self._send(event)
            else:
                self._receive(event)

    # Connections

    def _open(self, event: Event) -> Line:
        record = event.record
        try:
            line = self._meeting.meet(self._deadline)
        except LineError as error:
            self._differs(event, error.trouble, "a connection", str(error))
            raise _EndError from None
        self._channels.open(record.connection, line)
        details = this_process().details(self._script.side.label)
        if line.peer is not None:
            details |= line.peer.details(self._script.other.label)
        opened = self._tape.event(RecordKind.CONNECTION_OPENED, record.connection, Channel.MAIN, record.frame, details)
        if record.kind is RecordKind.CONNECTION_OPENED:
            self._live.feed(opened)
        return line

    def _line(self, event: Event) -> Line:
        """The line of a message; where the capture begins behind the beginning, the connection is made now."""
        record = event.record
        line = self._channels.line(record.connection, record.channel)
        if line is None and record.channel is Channel.MAIN:
            line = self._open(event)
        if line is None:
            text = f"the {record.channel.label} channel was not opened"
            self._differs(event, Trouble.UNREACHED, _name(event), text)
            raise _EndError
        return line

    def _close(self, event: Event) -> None:
        """The connection ended here: leave, or see the other side leave."""
        record = event.record
        line = self._channels.line(record.connection, Channel.MAIN)
        if line is None:
            return
        self._pace(record)
        rule = self._policy.named(CONNECTION, CLOSE)
        if record.details.get("by") == self._script.other.label and (rule is None or rule.how is not How.IGNORED):
            try:
                parcel = line.receive(self._deadline, _byte_order(record))
                self._unmatched_parcel(record.connection, Channel.MAIN, record.frame, parcel)
            except LineError as error:
                if error.trouble is Trouble.SILENCE:
                    self._differs(event, Trouble.OPEN, f"closed by the {self._script.other.label}", "still open")
        self._leave(record.connection, record.frame)

    def _leave(self, connection: int, frame: int) -> None:
        """Hang up, and listen whether the other side had anything more to say."""
        main = self._channels.line(connection, Channel.MAIN)
        assert main is not None
        main.fall_silent()
        patience = min(_FAREWELL, self._options.timeout)
        for channel, line in self._channels.of(connection):
            while True:
                try:
                    parcel = line.receive(time.monotonic() + patience, "little")
                except LineError:
                    break
                self._unmatched_parcel(connection, channel, frame, parcel)
            patience = 0.01  # what the others had to say before that is there now
        self._channels.close_all(connection)
        how = {"by": self._script.side.label, "how": "eof"}
        closed = self._tape.event(RecordKind.CONNECTION_CLOSED, connection, Channel.MAIN, frame, how)
        self._live.feed(closed)

    # Messages

    def _send(self, event: Event) -> None:
        record = event.record
        line = self._line(event)
        self._pace(record)
        if record.length > MOST_PAYLOAD:
            self._differs(event, Trouble.UNREACHED, _name(event), f"{record.length} bytes are too long to be sent")
            raise _EndError
        try:
            fds = tuple(self._stock.give(described) for described in record.descriptors)
        except OSError as error:
            self._differs(event, Trouble.UNREACHED, _name(event), f"no descriptor can be made: {error.strerror}")
            raise _EndError from None
        parcel = Parcel(self._keys.complete(record).ljust(record.length, b"\0"), fds)
        live = self._take(record, record.sender, parcel)
        self._lay_ring(live)
        self._pass(event, line, parcel)
        self._played.add(record.frame)
        self._channels.handed_over(live, fds, ours=True)

    def _receive(self, event: Event) -> None:
        record = event.record
        line = self._line(event)
        while True:
            try:
                parcel = line.receive(self._deadline, _byte_order(record))
            except LineError as error:
                if error.data:
                    self._take(record, self._script.other, Parcel(error.data), Mark.CUT_SHORT)
                self._differs(event, error.trouble, _name(event), str(error))
                if error.trouble is Trouble.SILENCE and not error.data and self._options.keep_going:
                    return
                raise _EndError from None
            if parcel.data[:4] == record.data[:4]:
                self._compare(event, parcel)
                return
            if self._options.keep_going and self._resume.skip_to(record, parcel.data[:4]):
                self._differs(event, Trouble.OTHER, _name(event), "what came later")
                self._channels.push_back(record.connection, record.channel, parcel)
                return
            live = self._unmatched(record, parcel)
            self._differs(event, Trouble.OTHER, _name(event), _name(live))
            if not self._options.keep_going:
                raise _EndError
            if (answer := self._resume.answer(live)) is not None:
                self._answer(live, line, answer)

    def _compare(self, event: Event, parcel: Parcel) -> None:
        self._outcome.received += 1
        self._played.add(event.record.frame)
        for number, fd in enumerate(parcel.descriptors):
            described = event.record.descriptors[number : number + 1]
            self._stock.keep(described[0] if described else None, fd)
        live = self._take(event.record, self._script.other, parcel)
        compared, differences, allowed = compare(event, live, self._policy, self._identities)
        self._outcome.compared += compared
        self._outcome.differences += differences
        self._outcome.allowed += allowed
        self._channels.handed_over(live, parcel.descriptors, ours=False)
        if differences:
            if not self._options.keep_going:
                raise _EndError
            if (answer := self._resume.answer_missing(event, live)) is not None:
                self._answer(live, self._line(event), answer)

    def _unmatched(self, record: Record, parcel: Parcel) -> Event:
        """A message has come that is not in the recording."""
        self._outcome.received += 1
        self._outcome.unmatched += 1
        for fd in parcel.descriptors:
            self._stock.keep(None, fd)
        return self._take(record, self._script.other, parcel)

    def _unmatched_parcel(self, connection: int, channel: Channel, frame: int, parcel: Parcel) -> None:
        live = self._unmatched(_nowhere(connection, channel, frame), parcel)
        self._outcome.differences.append(
            Difference(Trouble.UNMATCHED, connection, channel, frame, _name(live), "", "nothing more", _name(live))
        )

    def _answer(self, live: Event, line: Line, answer: Parcel) -> None:
        """Answer what the recording has no answer to, so that the other side goes on."""
        self._outcome.remarks.append(f"#{live.record.frame}: {_name(live)} is answered, which it was not then")
        self._take(live.record, self._script.side, answer)
        self._pass(live, line, answer)

    def _pass(self, event: Event, line: Line, parcel: Parcel) -> None:
        try:
            line.send(parcel.data, parcel.descriptors, self._deadline)
        except LineError as error:
            self._differs(event, error.trouble, _name(event), str(error))
            raise _EndError from None
        self._outcome.sent += 1

    def _take(self, at: Record, sender: Side, parcel: Parcel, marks: Mark = _NO_MARKS) -> Event:
        """Record a message where the recording stands `at`; what it means in the live session."""
        descriptors: tuple[Descriptor, ...] = tuple(map(inspect, parcel.descriptors))
        marks |= at.marks & Mark.BIG_ENDIAN | (Mark.DESCRIPTORS_LOST if parcel.lost else _NO_MARKS)
        live = self._live.feed(
            self._tape.message(at.connection, at.channel, sender, parcel.data, descriptors, marks, at.frame)
        )
        for named, fd in zip(live.descriptors, parcel.descriptors, strict=True):
            self._memory[named.name] = fd
        return live

    def _lay_ring(self, live: Event) -> None:
        message = live.message
        if self._script.side is not Side.FRONT_END or message is None or message.row is None:
            return
        if message.layout is None or message.row.effect not in _RING_EFFECTS:
            return
        index = to_fields(message.layout, message.values)["index"]
        ring = live.after.rings.get(index)
        if ring is None:
            return
        try:
            lay(ring, live.after, self._memory.get)
        except OSError as error:
            self._stock.remarks[f"ring {index} is not laid in the memory: {error.strerror}"] = None

    # Time, and what is said of differences

    @property
    def _deadline(self) -> float:
        return time.monotonic() + self._options.timeout

    def _pace(self, record: Record) -> None:
        """In real time, wait until it is time for a record."""
        if self._options.speed:
            due = self._start + (record.received - self._first) / 1e9 / self._options.speed
            late = time.monotonic() - due
            if late < 0:
                time.sleep(min(-late, _LONGEST_PAUSE))
            else:
                self._outcome.lag = max(self._outcome.lag, late)

    def _differs(self, event: Event, trouble: Trouble, expected: Value, got: Value) -> None:
        record = event.record
        difference = Difference(
            trouble, record.connection, record.channel, record.frame, _name(event), "", expected, got
        )
        self._outcome.differences.append(difference)


def _name(event: Event) -> str:
    message = event.message
    if message is None:
        return CONNECTION
    name = message.name
    return f"{name} reply" if message.reply else name


def _byte_order(record: Record) -> ByteOrder:
    return "big" if record.marks & Mark.BIG_ENDIAN else "little"


def _nowhere(connection: int, channel: Channel, frame: int) -> Record:
    """A place at the end of a recording."""
    return Record(RecordKind.NOTE, connection, channel, Side.PROXY, 0, 0, 0, 0, 0, b"", frame=frame)
