"""The actual session: the records of a replay, and a capture of them if requested."""

import sys
import time
from collections.abc import Mapping
from typing import BinaryIO

from vudissect import __version__
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.packet import MAX_MESSAGE
from vudissect.capture.record import NO_DETAILS, Mark, Record, RecordKind
from vudissect.host.descriptor import Descriptor
from vudissect.protocol.model import Channel, Side

# Bytes kept in memory of a long message; of all messages; and of each message once that total is exceeded.
_SNAPLEN = 65536
_MOST_KEPT = 256 << 20
_LITTLE = 4096


class ReplayLog:
    """Makes the records of passing messages, in order, and writes them to `output` as they come."""

    def __init__(self, output: BinaryIO | None) -> None:
        self.records: list[Record] = []
        self._output = output
        self._epoch_offset = time.time_ns() - time.monotonic_ns()
        self._encoder = CaptureEncoder(f"vudissect {__version__}", " ".join(sys.argv), _SNAPLEN, self._epoch_offset)
        self._sequences: dict[int, int] = {}
        self._kept = 0
        if output is not None:
            output.write(self._encoder.preamble())

    def message(
        self,
        connection: int,
        channel: Channel,
        sender: Side,
        data: bytes,
        descriptors: tuple[Descriptor, ...],
        marks: Mark,
        frame: int,
    ) -> Record:
        """Record a message that passes now. `frame` is the corresponding frame of the recording."""
        sequence = self._sequences[connection] = self._sequences.get(connection, 0) + 1
        now = time.monotonic_ns()
        kept = data if len(data) <= MAX_MESSAGE else data[:_SNAPLEN]
        if self._kept > _MOST_KEPT:
            kept = kept[:_LITTLE]
        self._kept += len(kept)
        return self._add(
            Record(
                RecordKind.MESSAGE,
                connection,
                channel,
                sender,
                sequence,
                now,
                now,
                now + self._epoch_offset,
                len(data),
                kept,
                marks,
                descriptors,
                NO_DETAILS,
                frame,
            )
        )

    def event(
        self,
        kind: RecordKind,
        connection: int,
        channel: Channel,
        frame: int,
        details: Mapping[str, str | int] = NO_DETAILS,
    ) -> Record:
        """Record an event of a connection or channel that happens now."""
        now = time.monotonic_ns()
        when = (self._sequences.get(connection, 0), now, now, now + self._epoch_offset)
        return self._add(Record(kind, connection, channel, Side.PROXY, *when, 0, b"", details=details, frame=frame))

    def assume(self, record: Record) -> Record:
        """Record what is known from the recording without being played."""
        self.records.append(record)
        return record

    def _add(self, record: Record) -> Record:
        self.records.append(record)
        if self._output is not None:
            self._output.write(self._encoder.record(record))
        return record
