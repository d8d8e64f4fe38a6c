"""How a replay goes on after a difference: what is passed over, and what is answered that nobody asked for then."""

from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.protocol.model import Channel
from vudissect.protocol.payloads import ACK
from vudissect.replay.script import Script
from vudissect.replay.stream import RawMessage
from vudissect.session.event import Event
from vudissect.wire.codec import Codec
from vudissect.wire.header import NEED_REPLY, ByteOrder

# How far ahead a message may be that has come too early: those before it were not sent this time.
_AHEAD = 64


class Resync:
    """What has been passed over of a script so far."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._position = {record.frame: position for position, record in enumerate(script.records)}
        self._skipped: set[int] = set()
        self._unasked: set[int] = set()
        # What our side sends, by channel and number: the first of each.
        self._answers: dict[tuple[Channel, bytes], Record] = {}
        for record in script.records:
            if record.kind is RecordKind.MESSAGE and record.sender is script.side:
                self._answers.setdefault((record.channel, record.data[:4]), record)

    def skips(self, event: Event) -> bool:
        """Whether a step is left out: its message was passed over, or it answers one that was not (so) asked."""
        if event.record.frame in self._skipped:
            return True
        if event.request is None or event.record.sender is not self._script.side:
            return False
        return event.request.frame in self._skipped or event.request.frame in self._unasked

    def skip_to(self, expected: Record, number: bytes) -> bool:
        """Pass over what was expected, if a message of this number (as on the wire) comes soon after it.

        It is not looked for after a request of our own, which the other side has not got yet.
        """
        passed = [expected.frame]
        start = self._position[expected.frame] + 1
        for record in self._script.records[start : start + _AHEAD]:
            if (record.connection, record.channel) != (expected.connection, expected.channel):
                continue
            if record.kind is not RecordKind.MESSAGE:
                return False
            if record.sender is self._script.side:
                if record.sender is record.channel.initiator:
                    return False
            elif record.data[:4] == number:
                self._skipped.update(passed)
                return True
            else:
                passed.append(record.frame)
        return False

    def answer_missing(self, recorded: Event, live: Event) -> RawMessage | None:
        """The answer that a request is owed this time and was not then; the other way round none is given."""
        assert recorded.message is not None
        assert live.message is not None
        owed, owed_then = _owed(live), _owed(recorded)
        if owed_then and not owed:
            self._unasked.add(recorded.record.frame)
        return _acknowledgement(live) if owed and not owed_then else None

    def answer(self, live: Event) -> RawMessage | None:
        """An answer to a request that the recording has not: as it was answered elsewhere, else that all is well."""
        message = live.message
        if message is None or message.reply or not _owed(live):
            return None
        recorded = self._answers.get((live.record.channel, message.data[:4]))
        if recorded is not None:
            return RawMessage(recorded.data)
        return _acknowledgement(live) if message.flags & NEED_REPLY else None


def _owed(event: Event) -> bool:
    message = event.message
    if message is None or message.row is None or message.reply:
        return False
    return event.after.owes_reply(message.row, message.flags)


def _acknowledgement(live: Event) -> RawMessage:
    message = live.message
    assert message is not None
    assert message.row is not None
    order: ByteOrder = "big" if live.record.marks & Mark.BIG_ENDIAN else "little"
    return RawMessage(Codec(live.after.protocol, order).encode(message.row, ACK, (0,), reply=True))
