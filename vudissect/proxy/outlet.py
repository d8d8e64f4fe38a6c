"""Where the capture goes: one file or pipe, or a file after the other; with what is reported about it."""

import os
import shlex
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.record import RecordKind
from vudissect.host.output import beginning, is_file
from vudissect.host.text import escaped
from vudissect.protocol.model import Channel
from vudissect.proxy.companion import Feed
from vudissect.proxy.recorder import Recorder
from vudissect.proxy.recording import STDERR, STDOUT, Recording, RecordingError
from vudissect.proxy.rotation import FileNames, Records, RotatingSink, Rotation
from vudissect.proxy.sink import MakeGap, Sink, sink_for


@dataclass(frozen=True, slots=True)
class OneFile:
    """The capture that is written: what is reported at the start, and its size without any record, 0 for a pipe."""

    sink: Sink
    path: str
    line: str
    empty: int

    def join(self, recorder: Recorder) -> None:
        """Get all records from now on."""
        recorder.add_sink(self.sink)

    def left(self) -> str:
        """What is reported at the end. A file without any record is removed."""
        if not self.empty:
            return ""
        with suppress(OSError):
            if os.stat(self.path).st_size > self.empty:
                return f"vudissect summary {shlex.quote(self.path)} shows what happened"
            os.unlink(self.path)
        return f"nothing was recorded: {self.path} is removed"


@dataclass(frozen=True, slots=True)
class SeveralFiles:
    """A capture in several files."""

    sink: RotatingSink

    @property
    def line(self) -> str:
        """What is reported at the start."""
        return f"recording to {escaped(self.sink.path)} and further files"

    def join(self, recorder: Recorder) -> None:
        """Get all records from now on."""
        recorder.add_rotating_sink(self.sink)

    def left(self) -> str:
        """What is reported at the end. A file without any record is removed."""
        if self.sink.wrote:
            return f"vudissect summary {shlex.quote(self.sink.path)} shows what happened last"
        with suppress(OSError):
            os.unlink(self.sink.path)
        return f"nothing was recorded: {self.sink.path} is removed"


def gap_maker(encoder: CaptureEncoder) -> MakeGap:
    """Makes the gap records of a capture."""

    def gap(messages: int, reason: str) -> bytes:
        details: dict[str, str | int] = {"messages": messages, "reason": reason}
        return encoder.event(RecordKind.GAP, 0, Channel.MAIN, 0, time.monotonic_ns(), details)

    return gap


def open_outlet(recording: Recording, path: str, encoder: CaptureEncoder, feed: Feed) -> OneFile | SeveralFiles:
    """Begin the capture at a path; an older one is lost. Raises `RecordingError`."""
    if recording.rotation is not None:
        return _open_several(recording.rotation, path, encoder, feed)
    return _open_one(recording, path, feed)


def _open_one(recording: Recording, path: str, feed: Feed) -> OneFile:
    if recording.capture == "-" and os.isatty(STDOUT):
        raise RecordingError("-w -: standard output is a terminal: pipe it into wireshark -k -i -, or name a file")
    # A generated name is a new file. A named pipe without a reader is an error instead of a long wait.
    label = "standard output" if path == "-" else path
    text_on = (STDERR,) if path == "-" else recording.written_to
    place = "/dev/stdout" if path == "-" else path
    replaces = is_file(place)
    try:
        with beginning(place, text_on=text_on, replace=recording.capture is not None, flags=os.O_NONBLOCK) as fd:
            sink = sink_for(fd, label, feed.preamble, feed.gap, feed.warn)
    except OSError as error:
        raise RecordingError(f"{label}: cannot be written: {error.strerror}: name another file with -w") from None
    line = f"recording to {escaped(label)}" + (", which is replaced" if replaces else "")
    return OneFile(sink, path, line, len(feed.preamble) if is_file(place) else 0)


def _open_several(rotation: Rotation, path: str, encoder: CaptureEncoder, feed: Feed) -> SeveralFiles:
    def event(kind: RecordKind, connection: int, details: Mapping[str, str | int]) -> bytes:
        return encoder.event(kind, connection, Channel.MAIN, 0, time.monotonic_ns(), details)

    records = Records(
        encoder.preamble,
        lambda details: event(RecordKind.CONTINUED, 0, details),
        lambda connection: event(RecordKind.GAP, connection, {"reason": "there is no room to repeat its set-up"}),
    )
    names = FileNames(path)
    try:
        return SeveralFiles(RotatingSink(rotation, names, records, feed.gap, feed.warn))
    except OSError as error:
        raise RecordingError(f"{names}: cannot be written: {error.strerror}: name another file with -w") from None
