"""Where the bytes of a capture go: a file, or a pipe whose reader may be slow. Neither ever stops the traffic.

A sink receives whole records and keeps or drops whole records. It counts what it drops, reports it once, and tells the
reader of the capture with a gap record as soon as it can write again.
"""

import os
import select
import stat
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate, islice
from time import monotonic
from typing import Protocol

from vudissect.host.output import write_all
from vudissect.proxy.diagnostics import Warn

# Makes a gap record: how many records are missing, and why.
MakeGap = Callable[[int, str], bytes]

_PIPE_BUFFER = 4 << 20
_RECORDS_AT_ONCE = 1024
_TOO_SLOW = "its reader is too slow"
_LAST_CHANCE_SECONDS = 2.0


class Sink(Protocol):
    """Receives records."""

    @property
    def lost(self) -> int:
        """How many records it could not keep."""

    @property
    def unwritten(self) -> bool:
        """Whether a later write of nothing may get something out."""

    def write(self, records: list[bytes]) -> None:
        """Keep these records, or count them as lost."""

    def close(self) -> None:
        """Write what can still be written, and close."""


def sink_for(fd: int, name: str, preamble: bytes, gap: MakeGap, warn: Warn) -> Sink:
    """The sink for an open file, with the preamble of the capture already written.

    Raises `OSError` if that is not possible; then the file is closed and empty.
    """
    mode = os.fstat(fd).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        pipe = PipeSink(fd, name, gap, warn)
        pipe.write([preamble])
        return pipe
    size = os.fstat(fd).st_size
    try:
        write_all(fd, preamble)
    except OSError:
        if stat.S_ISREG(mode):
            with suppress(OSError):
                os.ftruncate(fd, size)
        os.close(fd)
        raise
    return FileSink(fd, name, gap, warn)


class FileSink:
    """A file that always consists of whole records: a record that was written in part is cut off again."""

    unwritten = False

    def __init__(self, fd: int, name: str, gap: MakeGap, warn: Warn) -> None:
        self.lost = 0
        self._fd = fd
        self._name = name
        self._gap = gap
        self._warn = warn
        self._missing = 0
        self._reason = ""

    def write(self, records: list[bytes]) -> None:
        """Write them, with one system call if the file accepts them."""
        self.write_joined(records, b"".join(records))

    def write_joined(self, records: list[bytes], data: bytes) -> None:
        """The same for a caller that has joined them to `data` already."""
        gap = [self._gap(self._missing, self._reason)] if self._missing else []
        if gap:
            data = gap[0] + data
        written, reason = 0, ""
        try:
            while written < len(data):
                written += os.write(self._fd, memoryview(data)[written:])
        except OSError as error:
            reason = error.strerror or str(error)
        if written == len(data):
            self._missing = 0
        else:
            self._cut_back(gap, records, written, reason)

    def _cut_back(self, gap: list[bytes], records: list[bytes], written: int, reason: str) -> None:
        """Remove a partially written record, and count the missing ones."""
        ends = list(accumulate(map(len, gap + records), initial=0))
        kept = bisect_right(ends, written) - 1
        if ends[kept] < written:
            with suppress(OSError):
                os.ftruncate(self._fd, os.lseek(self._fd, ends[kept] - written, os.SEEK_CUR))
        if kept:
            self._missing = 0
        lost = len(records) - max(0, kept - len(gap))
        if not self.lost:
            self._warn(f"{self._name}: {reason}: the traffic continues, but messages will be missing there")
        self._reason = reason
        self._missing += lost
        self.lost += lost

    def close(self) -> None:
        """Report what is missing at the end, if anything, and close the file."""
        if self._missing:
            self.write([])
        os.close(self._fd)


class PipeSink:
    """A pipe. Its reader may be slow: up to 4 MiB are queued, then records are dropped until it has caught up."""

    def __init__(self, fd: int, name: str, gap: MakeGap, warn: Warn) -> None:
        self.lost = 0
        self._fd = fd
        self._name = name
        self._gap = gap
        self._warn = warn
        self._was_blocking = os.get_blocking(fd)
        self._broken = False
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._missing = 0
        os.set_blocking(fd, False)

    @property
    def unwritten(self) -> bool:
        """Whether the reader has to catch up."""
        return bool(self._queue)

    def write(self, records: list[bytes]) -> None:
        """Queue them if there is room, and write what the pipe accepts."""
        if self._missing and self._queued < _PIPE_BUFFER // 2 and not self._broken:
            self._enqueue(self._gap(self._missing, _TOO_SLOW))
            self._missing = 0
        for position, record in enumerate(records):
            if self._broken or self._missing or self._queued + len(record) > _PIPE_BUFFER:
                self._lose(len(records) - position, _TOO_SLOW)
                break
            self._enqueue(record)
        self._flush()

    def close(self) -> None:
        """Give the reader a last chance to catch up, and close the pipe."""
        deadline = monotonic() + _LAST_CHANCE_SECONDS
        waiting = select.poll()
        waiting.register(self._fd, select.POLLOUT)
        while self._queue and monotonic() < deadline:
            waiting.poll(100)
            self._flush()
        if self._queue:
            self._lose(len(self._queue), _TOO_SLOW)
        with suppress(OSError):
            os.set_blocking(self._fd, self._was_blocking)
        os.close(self._fd)

    def _enqueue(self, record: bytes) -> None:
        self._queue.append(record)
        self._queued += len(record)

    def _flush(self) -> None:
        while self._queue:
            try:
                written = os.write(self._fd, b"".join(islice(self._queue, _RECORDS_AT_ONCE)))
            except BlockingIOError:
                return
            except OSError as error:
                self._broken = True
                self._lose(len(self._queue), error.strerror or str(error))
                self._queue.clear()
                return
            self._queued -= written
            while written:
                head = self._queue.popleft()
                if len(head) > written:
                    self._queue.appendleft(head[written:])
                written -= min(len(head), written)

    def _lose(self, records: int, reason: str) -> None:
        if not self.lost:
            self._warn(f"{self._name}: {reason}: the traffic continues, but messages will be missing there")
        self._missing += records
        self.lost += records
