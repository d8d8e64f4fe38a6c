"""Plays one side of a recorded session, message by message, against a live peer.

The meaning of messages comes from the session, comparison with the recording is in `compare`, transport in `stream`.
"""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import BinaryIO, Final, NamedTuple

from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.compare.messages import Identities, compare
from vudissect.compare.outcome import Difference, Outcome, Trouble, Value
from vudissect.compare.policy import CLOSE, CONNECTION, How, Policy
from vudissect.host.descriptor import Descriptor
from vudissect.host.inspect import inspect
from vudissect.host.peer import this_process
from vudissect.protocol.model import Channel, Side
from vudissect.replay.channels import Channels
from vudissect.replay.connector import Connector
from vudissect.replay.descriptors import DescriptorPool
from vudissect.replay.keys import Keys
from vudissect.replay.limits import MOST_UNMATCHED, Limits, Patience, default_deadline
from vudissect.replay.log import ReplayLog
from vudissect.replay.resync import Resync
from vudissect.replay.rings import prepare_ring
from vudissect.replay.script import Script
from vudissect.replay.stream import MOST_PIXELS, RawMessage, Stream, StreamError
from vudissect.session.event import Event, MessageEvent
from vudissect.session.session import Session
from vudissect.wire.header import ByteOrder

# After closing its connection, how long the replay waits for the other side to send the rest and close too (s).
_FAREWELL: Final = 1.0

_NO_MARKS: Final = Mark(0)


class Options(NamedTuple):
    """How to play.

    `speed`: 0 is as fast as answers come, otherwise a multiple of real time. `timeout` is for each
    answer, `deadline` for the whole replay (s; None: enough for a peer that answers). `keep_going`: continue after a
    difference, as well as possible. `output` receives a capture of the session.
    """

    speed: float = 0.0
    timeout: float = 10.0
    keep_going: bool = False
    output: BinaryIO | None = None
    deadline: float | None = None


class _EndError(Exception):
    """The replay cannot continue."""


class Player:
    """Plays a script once."""

    def __init__(self, script: Script, connector: Connector, policy: Policy, options: Options) -> None:
        self._script = script
        self._connector = connector
        self._policy = policy
        self._options = options
        self._outcome = Outcome(script.side, recorded=list(script.records), known=script.known)
        self._identities = Identities()
        self._recorded = Session(known=script.known, detect=True)
        self._live = Session(known=script.known, detect=True)
        self._pool = DescriptorPool()
        self._keys = Keys()
        self._log = ReplayLog(options.output)
        self._channels = Channels(self._pool)
        self._memory: dict[str, int] = {}
        self._played: set[int] = set()
        self._resync = Resync(script, policy)
        self._patience = Patience(options.timeout)
        self._start = 0.0
        self._limits = Limits(0.0, options.timeout)
        self._first = next((record.received for record in script.records if record.frame >= script.first), 0)

    def play(self) -> Outcome:
        """Play it to the end, or to the first difference."""
        own = time.thread_time()
        self._start = time.monotonic()
        self._limits = Limits(self._seconds, self._options.timeout)
        with suppress(_EndError):
            try:
                for record in self._script.records:
                    self._step(self._recorded.feed(record))
                if self._script.whole:
                    for connection in self._channels.connections:
                        self._leave(connection, 0)
            finally:
                self._channels.close()
                self._pool.close()
        outcome = self._outcome
        outcome.live = self._log.records
        done = self._played | self._resync.excused
        outcome.unplayed = [record.frame for record in self._script.messages if record.frame not in done]
        outcome.allowed += self._resync.allowed
        outcome.remarks += self._pool.remarks
        outcome.remarks += self._keys.remarks
        outcome.seconds = time.monotonic() - self._start
        outcome.own_seconds = time.thread_time() - own
        outcome.recorded_seconds = self._recorded_seconds
        return outcome

    @property
    def _recorded_seconds(self) -> float:
        records = self._script.records
        return max(0, records[-1].received - self._first) / 1e9 if records else 0.0

    @property
    def _seconds(self) -> float:
        """The deadline for the whole replay."""
        timeout, speed, deadline = self._options.timeout, self._options.speed, self._options.deadline
        if deadline is not None:
            return deadline
        return default_deadline(len(self._script.messages), timeout, self._recorded_seconds, speed)

    def _step(self, event: Event) -> None:
        record = event.record
        if record.frame < self._script.first:
            self._live.feed(self._log.assume(record))
            return
        self._end_in_time(event)
        if record.kind is RecordKind.CONNECTION_OPENED:
            self._open(event)
        elif record.kind is RecordKind.CONNECTION_CLOSED:
            self._close(event)
        elif record.kind is RecordKind.CHANNEL_CLOSED:
            if record.details.get("by") == self._script.side.label:
                self._channels.hang_up(record.connection, record.channel)
        elif event.message is not None and not self._resync.skips(event):
            if record.sender is self._script.side:
                self._send(event)
            else:
                self._receive(event)

    # Connections

    def _open(self, event: Event) -> Stream:
        record = event.record
        try:
            stream = self._connector.connect(self._limits.within())
        except StreamError as error:
            self._differs(event, error.trouble, "a connection", str(error))
            raise _EndError from None
        self._channels.open(record.connection, stream)
        details = this_process().details(self._script.side.label) | event.after.guess.details
        if stream.peer is not None:
            details |= stream.peer.details(self._script.other.label)
        opened = self._log.event(RecordKind.CONNECTION_OPENED, record.connection, Channel.MAIN, record.frame, details)
        if record.kind is RecordKind.CONNECTION_OPENED:
            self._live.feed(opened)
        return stream

    def _stream(self, event: MessageEvent) -> Stream:
        """The stream of a message; if the capture begins in mid-session, connect now."""
        record = event.record
        stream = self._channels.stream(record.connection, record.channel)
        if stream is None and record.channel is Channel.MAIN:
            stream = self._open(event)
        if stream is None:
            text = f"the {record.channel.label} channel was not opened"
            self._differs(event, Trouble.UNREACHED, _name(event), text)
            raise _EndError
        return stream

    def _close(self, event: Event) -> None:
        """The connection ended here: close it, or expect the other side to close it."""
        record = event.record
        stream = self._channels.stream(record.connection, Channel.MAIN)
        if stream is None:
            return
        self._pace(event)
        rule = self._policy.named(CONNECTION, CLOSE)
        if record.details.get("by") == self._script.other.label and (rule is None or rule.how is not How.IGNORED):
            place = (record.connection, Channel.MAIN)
            end = self._limits.within(self._patience.wait(place))
            try:
                while live := self._unmatched_message(*place, record.frame, stream.receive(end, _byte_order(record))):
                    self._answer(live, stream, self._resync.answer(live))
            except StreamError as error:
                if error.trouble is Trouble.SILENCE:
                    self._differs(event, Trouble.OPEN, f"closed by the {self._script.other.label}", "still open")
        self._leave(record.connection, record.frame)

    def _leave(self, connection: int, frame: int) -> None:
        """Close the connection, after receiving the rest from the other side."""
        main = self._channels.stream(connection, Channel.MAIN)
        assert main is not None
        main.shut_down()
        patience = min(_FAREWELL, self._options.timeout)
        for channel, stream in self._channels.of(connection):
            end = self._limits.within(patience)
            while True:
                try:
                    raw = stream.receive(end, "little")
                except StreamError:
                    break
                self._unmatched_message(connection, channel, frame, raw)
            patience = 0.01  # what the peer had to send before that has arrived by now
        self._channels.close_all(connection)
        how = {"by": self._script.side.label, "how": "eof"}
        closed = self._log.event(RecordKind.CONNECTION_CLOSED, connection, Channel.MAIN, frame, how)
        self._live.feed(closed)

    # Messages

    def _send(self, event: MessageEvent) -> None:
        record = event.record
        stream = self._stream(event)
        self._pace(event)
        if record.length > MOST_PIXELS:
            self._differs(event, Trouble.UNREACHED, _name(event), f"cannot make a message of {record.length} bytes")
            raise _EndError
        try:
            fds = tuple(self._pool.get(described) for described in record.descriptors)
        except OSError as error:
            self._differs(event, Trouble.UNREACHED, _name(event), f"cannot create a descriptor: {error.strerror}")
            raise _EndError from None
        raw = RawMessage(self._keys.complete(record).ljust(record.length, b"\0"), fds)
        live = self._take(record, record.sender, raw)
        for named, fd in zip(live.descriptors, fds, strict=True):
            self._memory[named.name] = fd
        if self._script.side is Side.FRONT_END and (remark := prepare_ring(live, self._memory.get)):
            self._pool.remarks[remark] = None
        self._pass(event, stream, raw)
        self._played.add(record.frame)
        self._channels.handed_over(live, fds, ours=True)

    def _receive(self, event: MessageEvent) -> None:
        record = event.record
        stream = self._stream(event)
        place, number = (record.connection, record.channel), record.data[:4]
        while True:
            try:
                raw = stream.receive(self._limits.within(self._patience.wait(place, number)), _byte_order(record))
            except StreamError as error:
                if self._misses(event, error):
                    return
                raise _EndError from None
            self._patience.came(place, raw.data[:4])
            if raw.data[:4] == number:
                self._compare(event, raw)
                return
            if self._resync.skip_optional_to(event, raw.data[:4]):
                self._channels.push_back(*place, raw)
                return
            is_optional = self._resync.optional(event, raw.data)
            if not is_optional and self._options.keep_going and self._resync.skip_to(record, raw.data[:4]):
                self._differs(event, Trouble.OTHER, _name(event), "a later message")
                self._channels.push_back(*place, raw)
                return
            live, allowed = self._unmatched(record, raw)
            if not allowed:
                self._differs(event, Trouble.OTHER, _name(event), _name(live))
                if not self._options.keep_going:
                    raise _EndError
            self._answer(live, stream, self._resync.answer(live))

    def _misses(self, event: MessageEvent, error: StreamError) -> bool:
        """Handle a message that did not come; return whether to continue without it."""
        record = event.record
        if error.data:
            self._take(record, self._script.other, RawMessage(error.data), Mark.CUT_SHORT)
        elif error.trouble is Trouble.SILENCE and not self._limits.over:
            self._patience.missed((record.connection, record.channel), record.data[:4])
            if self._resync.miss(event):
                return True
        elif error.trouble is Trouble.CLOSED and self._resync.miss(event):
            return True
        self._fails(event, error)
        return error.trouble is Trouble.SILENCE and not error.data and self._options.keep_going

    def _compare(self, event: MessageEvent, raw: RawMessage) -> None:
        self._outcome.received += 1
        self._played.add(event.record.frame)
        live = self._take(event.record, self._script.other, raw)
        described = event.record.descriptors
        for one, fd in zip(described, raw.descriptors, strict=False):
            self._pool.received(one, fd)
        compared, differences, allowed = compare(event, live, self._policy, self._identities)
        self._outcome.compared += compared
        self._outcome.differences += differences
        self._outcome.allowed += allowed
        self._channels.handed_over(live, raw.descriptors, ours=False)
        _close(raw.descriptors[len(described) :])
        if differences:
            if not self._options.keep_going:
                raise _EndError
            self._answer(live, self._stream(event), self._resync.answer_missing(event, live))

    def _unmatched(self, record: Record, raw: RawMessage) -> tuple[MessageEvent, bool]:
        """Handle a message that is not in the recording; the second value is whether the policy allows it."""
        self._outcome.received += 1
        live = self._take(record, self._script.other, raw)
        _close(raw.descriptors)
        allowed = self._resync.accept(live, raw.data)
        self._outcome.unmatched += not allowed
        if self._limits.too_many():
            most = f"at most {MOST_UNMATCHED} messages that are not in the recording"
            self._differs(live, Trouble.UNMATCHED, most, "more of them")
            raise _EndError
        return live, allowed

    def _unmatched_message(self, connection: int, channel: Channel, frame: int, raw: RawMessage) -> MessageEvent | None:
        """Handle a message after the end of the recording; None if the policy does not allow it."""
        live, allowed = self._unmatched(_nowhere(connection, channel, frame), raw)
        if allowed:
            return live
        name = _name(live)
        self._outcome.differences.append(
            Difference(Trouble.UNMATCHED, connection, channel, frame, name, "", "nothing more", name)
        )
        return None

    def _answer(self, live: MessageEvent, stream: Stream, answer: RawMessage | None) -> None:
        """Answer a request that has no answer in the recording, so that the other side continues."""
        if answer is not None:
            self._outcome.remarks.append(f"#{live.record.frame}: {_name(live)} is answered, but was not recorded")
            self._take(live.record, self._script.side, answer)
            self._pass(live, stream, answer)

    def _pass(self, event: MessageEvent, stream: Stream, raw: RawMessage) -> None:
        try:
            stream.send(raw.data, raw.descriptors, self._limits.within())
        except StreamError as error:
            self._fails(event, error)
            raise _EndError from None
        self._outcome.sent += 1

    def _take(self, at: Record, sender: Side, raw: RawMessage, marks: Mark = _NO_MARKS) -> MessageEvent:
        """Record a message in place of the recorded one `at`; return its meaning in the live session."""
        descriptors: tuple[Descriptor, ...] = tuple(map(inspect, raw.descriptors))
        marks |= at.marks & Mark.BIG_ENDIAN | (Mark.DESCRIPTORS_LOST if raw.lost else _NO_MARKS)
        message = self._log.message(at.connection, at.channel, sender, raw.data, descriptors, marks, at.frame)
        live = self._live.feed(message)
        assert isinstance(live, MessageEvent)
        return live

    # Time, and reports of differences

    def _end_in_time(self, event: Event) -> None:
        if self._limits.over:
            text = f"the deadline of {self._limits.seconds:g} s for the whole replay was reached"
            self._differs(event, Trouble.DEADLINE, _name(event), text)
            raise _EndError

    def _pace(self, event: Event) -> None:
        """In real time, wait until a record is due."""
        record = event.record
        if self._options.speed:
            due = self._start + (record.received - self._first) / 1e9 / self._options.speed
            late = time.monotonic() - due
            if late < 0:
                time.sleep(max(0.0, self._limits.within(-late) - time.monotonic()))
                self._end_in_time(event)
            else:
                self._outcome.lag = max(self._outcome.lag, late)

    def _fails(self, event: MessageEvent, error: StreamError) -> None:
        """Report a message that did not pass, and whether the deadline was the cause."""
        if error.trouble is Trouble.SILENCE and self._limits.over:
            text = f"{error}: the deadline of {self._limits.seconds:g} s for the whole replay was reached"
            self._differs(event, Trouble.DEADLINE, _name(event), text)
            raise _EndError
        self._differs(event, error.trouble, _name(event), str(error))

    def _differs(self, event: Event, trouble: Trouble, expected: Value, got: Value) -> None:
        record = event.record
        difference = Difference(
            trouble, record.connection, record.channel, record.frame, _name(event), "", expected, got
        )
        self._outcome.differences.append(difference)


def _name(event: Event) -> str:
    if event.message is None:
        return CONNECTION
    return f"{event.name} reply" if event.message.reply else event.name


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _byte_order(record: Record) -> ByteOrder:
    return "big" if record.marks & Mark.BIG_ENDIAN else "little"


def _nowhere(connection: int, channel: Channel, frame: int) -> Record:
    """A place at the end of a recording."""
    return Record(RecordKind.NOTE, connection, channel, Side.PROXY, 0, 0, 0, 0, 0, b"", frame=frame)
