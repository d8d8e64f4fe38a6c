"""Each case is a capture, as the proxy between both sides would have made it."""

import time

from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.record import NO_DETAILS, Mark, Record, RecordKind
from vudissect.host.descriptor import Descriptor
from vudissect.host.peer import Peer, this_process
from vudissect.protocol.model import Channel, Side

_SNAPLEN = 1 << 16
_NO_MARKS = Mark(0)


class Recorder:
    """Collects records. `hear` is called with each."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._offset = time.time_ns() - time.monotonic_ns()
        self._sequence = 0

    def message(
        self,
        connection: int,
        channel: Channel,
        sender: Side,
        data: bytes,
        descriptors: tuple[Descriptor, ...] = (),
        marks: Mark = _NO_MARKS,
    ) -> Record:
        """A message has passed."""
        return self._add(RecordKind.MESSAGE, connection, channel, sender, data, descriptors, marks)

    def opened(self, connection: int, peer: Peer, side: Side = Side.BACK_END) -> Record:
        """A connection was made with the program under test, which is this side of it."""
        other = Side.FRONT_END if side is Side.BACK_END else Side.BACK_END
        details = this_process().details(other.label) | peer.details(side.label)
        return self._event(RecordKind.CONNECTION_OPENED, connection, Channel.MAIN, details)

    def closed(self, connection: int, by: Side, how: str = "eof") -> Record:
        """A connection has ended."""
        return self._event(RecordKind.CONNECTION_CLOSED, connection, Channel.MAIN, {"by": by.label, "how": how})

    def channel_opened(self, connection: int, channel: Channel) -> Record:
        """Another channel was handed over."""
        return self._event(RecordKind.CHANNEL_OPENED, connection, channel, {})

    def channel_closed(self, connection: int, channel: Channel, by: Side, how: str = "eof") -> Record:
        """Another channel has ended, and the main one has not."""
        return self._event(RecordKind.CHANNEL_CLOSED, connection, channel, {"by": by.label, "how": how})

    def note(self, connection: int, text: str) -> Record:
        """Something that no message shows."""
        return self._event(RecordKind.NOTE, connection, Channel.MAIN, {"text": text})

    def _event(self, kind: RecordKind, connection: int, channel: Channel, details: dict[str, str | int]) -> Record:
        return self._add(kind, connection, channel, Side.PROXY, b"", details=details)

    def _add(
        self,
        kind: RecordKind,
        connection: int,
        channel: Channel,
        sender: Side,
        data: bytes,
        descriptors: tuple[Descriptor, ...] = (),
        marks: Mark = _NO_MARKS,
        details: dict[str, str | int] | None = None,
    ) -> Record:
        now = time.monotonic_ns()
        self._sequence += 1
        record = Record(
            kind,
            connection,
            channel,
            sender,
            self._sequence,
            now,
            now,
            now + self._offset,
            len(data),
            data,
            marks,
            descriptors,
            NO_DETAILS if details is None else details,
            len(self.records) + 1,
        )
        self.records.append(record)
        return record


def capture_of(records: tuple[Record, ...], title: str) -> bytes:
    """The records as a capture file."""
    encoder = CaptureEncoder("vudissect check", title, _SNAPLEN, 0)
    return encoder.preamble() + b"".join(map(encoder.record, records))
