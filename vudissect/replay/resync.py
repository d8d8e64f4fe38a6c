"""How a replay continues after a difference: what is skipped, and how requests not in the recording are answered."""

from collections.abc import Sequence

from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.compare.outcome import Allowed
from vudissect.compare.policy import OPTIONAL, Policy
from vudissect.protocol.model import Channel, Layout
from vudissect.protocol.payloads import ACK
from vudissect.protocol.purpose import Purpose
from vudissect.replay.script import Script
from vudissect.replay.stream import RawMessage
from vudissect.session.event import MessageEvent
from vudissect.wire.codec import Codec
from vudissect.wire.header import HEADER_SIZE, NEED_REPLY, ByteOrder, struct_of

# How far ahead a message is looked for that came early: the messages before it were not sent this time.
_AHEAD = 64


class Resync:
    """What has been skipped in a script so far.

    `allowed` has the messages that the policy allows to be missing or additional, `excused` the frames of those that
    are missing, and of our replies to them.
    """

    def __init__(self, script: Script, policy: Policy) -> None:
        self.allowed: list[Allowed] = []
        self.excused: set[int] = set()
        self._script = script
        self._policy = policy
        self._position = {record.frame: position for position, record in enumerate(script.records)}
        self._skipped: set[int] = set()
        self._unasked: set[int] = set()
        # What our side sends, by channel and number: the first of each.
        self._answers: dict[tuple[Channel, bytes], Record] = {}
        for record in script.records:
            if record.kind is RecordKind.MESSAGE and record.sender is script.side:
                self._answers.setdefault((record.channel, record.data[:4]), record)

    def skips(self, event: MessageEvent) -> bool:
        """Whether to leave out a step: its message was skipped, or the request it answers did not come as recorded."""
        if event.record.frame in self._skipped:
            return True
        if event.request is None or event.record.sender is not self._script.side:
            return False
        if event.request.frame in self.excused:
            self.excused.add(event.record.frame)
            return True
        return event.request.frame in self._skipped or event.request.frame in self._unasked

    def optional(self, event: MessageEvent, data: bytes) -> str:
        """The name of a message from the other side in place of an event, if it is optional; otherwise ""."""
        channel = event.record.channel
        if channel.initiator is self._script.side or len(data) < HEADER_SIZE:
            return ""  # replies are owed
        (number,) = struct_of("I", _byte_order(event)).unpack_from(data)
        row = event.after.protocol.request(channel, number)
        return row.name if row is not None and self._policy.is_optional(row.name) else ""

    def miss(self, expected: MessageEvent) -> bool:
        """Continue without a message that did not come, if it is optional; return whether it is."""
        record = expected.record
        name = self.optional(expected, record.data)
        if name:
            self.excused.add(record.frame)
            self.allowed.append(Allowed(record.frame, name, "", name, None, str(OPTIONAL)))
        return bool(name)

    def accept(self, live: MessageEvent, data: bytes) -> bool:
        """Accept a message that is not in the recording, if it is optional; return whether it is."""
        name = self.optional(live, data)
        if name:
            self.allowed.append(Allowed(live.record.frame, name, "", None, name, str(OPTIONAL)))
        return bool(name)

    def skip_optional_to(self, expected: MessageEvent, number: bytes) -> bool:
        """Skip what was expected, as `skip_to` does, but only optional messages."""
        passed = self._before(expected.record, number)
        if not passed or not all(self.optional(expected, record.data) for record in passed):
            return False
        for record in passed:
            self._skipped.add(record.frame)
            self.miss(expected._replace(record=record))
        return True

    def skip_to(self, expected: Record, number: bytes) -> bool:
        """Skip what was expected, if a message with this number (as on the wire) comes soon after it.

        The search ends at a request of our own, which the other side has not received yet.
        """
        passed = self._before(expected, number)
        self._skipped.update(record.frame for record in passed)
        return bool(passed)

    def _before(self, expected: Record, number: bytes) -> Sequence[Record]:
        """The messages that were expected before the next one with this number; empty if that does not come soon."""
        passed = [expected]
        start = self._position[expected.frame] + 1
        for record in self._script.records[start : start + _AHEAD]:
            if (record.connection, record.channel) != (expected.connection, expected.channel):
                continue
            if record.kind is not RecordKind.MESSAGE:
                return ()
            if record.sender is self._script.side:
                if record.sender is record.channel.initiator:
                    return ()
            elif record.data[:4] == number:
                return passed
            else:
                passed.append(record)
        return ()

    def answer_missing(self, recorded: MessageEvent, live: MessageEvent) -> RawMessage | None:
        """The answer to a request that is owed one now but was not in the recording; None in the opposite case."""
        owed, owed_then = _owed(live), _owed(recorded)
        if owed_then and not owed:
            self._unasked.add(recorded.record.frame)
        return _acknowledgement(live) if owed and not owed_then else None

    def answer(self, live: MessageEvent) -> RawMessage | None:
        """An answer to a request that is not in the recording: the one that is elsewhere in it, otherwise success."""
        message = live.message
        if message.reply or not _owed(live):
            return None
        if message.row.purpose is Purpose.GET_STATUS and live.after.status is not None:
            return _reply(live, message.row.reply[0], live.after.status)
        recorded = self._answers.get((live.record.channel, message.data[:4]))
        if recorded is not None:
            return RawMessage(recorded.data)
        return _acknowledgement(live) if message.flags & NEED_REPLY else None


def _owed(event: MessageEvent) -> bool:
    message = event.message
    return not message.reply and event.after.owes_reply(message.row, message.flags)


def _acknowledgement(live: MessageEvent) -> RawMessage:
    return _reply(live, ACK, 0)


def _reply(live: MessageEvent, layout: Layout, value: int) -> RawMessage:
    message = live.message
    codec = Codec(live.after.protocol, _byte_order(live))
    return RawMessage(codec.encode(message.row, layout, (value,), reply=True))


def _byte_order(event: MessageEvent) -> ByteOrder:
    return "big" if event.record.marks & Mark.BIG_ENDIAN else "little"
