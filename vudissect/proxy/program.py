"""The vuproxy program: opens the capture, starts the live transcript, relays until stopped, prints a summary."""

import os
import shlex
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fcntl import F_GETFL, fcntl
from types import FrameType

from vudissect import __version__
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.record import RecordKind
from vudissect.host.address import AddressError
from vudissect.host.limits import LimitError, raise_descriptor_limit, require_descriptors
from vudissect.host.output import beginning, is_file, same_file
from vudissect.host.service import Service
from vudissect.host.streams import hide
from vudissect.host.text import escaped
from vudissect.protocol.model import Channel
from vudissect.proxy.command import Command
from vudissect.proxy.diagnostics import Diagnostics, Warn
from vudissect.proxy.greeting import greeting
from vudissect.proxy.metrics import MetricsServer, Place
from vudissect.proxy.observer import Observer, Report
from vudissect.proxy.page import PageServer
from vudissect.proxy.poller import READABLE
from vudissect.proxy.recorder import Recorder
from vudissect.proxy.relay import Relay
from vudissect.proxy.ring_observer import RingObserver, RingOptions
from vudissect.proxy.rotation import FileNames, Records, RotatingSink, Rotation
from vudissect.proxy.shared import Settings
from vudissect.proxy.sink import MakeGap, Sink, sink_for
from vudissect.proxy.summary import Summary
from vudissect.proxy.triggers import Bundling, TriggerWatch

_STDOUT, _STDERR = 1, 2
_STREAMS = {_STDOUT: "standard output", _STDERR: "standard error"}

# About ten of our own, two for a connection, three for each further channel, and those of a memory table in transit.
_DESCRIPTORS_NEEDED = 24
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Recording:
    """Where the capture goes: a file, `-` for standard output, or None for a new file with a generated name.

    `shown` is the filter of the live transcript, if there is one, and `color` an option of it. `while_read`: end when
    nobody reads standard output any more; otherwise the traffic continues. `program` is recorded in the capture as the
    program that was started. `rings`: also record what is seen in the rings. `rotation`: write several files, with
    names after that of `capture`. `metrics`: where to serve or write numbers for monitoring. `page`: whether to serve a
    page of the session. `bundling`: when to make bundles of what was recorded. `wrapped`: start this command, and end
    with it.
    """

    capture: str | None = None
    quiet: bool = False
    verbose: bool = False
    shown: str = ""
    snaplen: int = 65536
    keep_keys: bool = False
    while_read: bool = False
    program: str = "vuproxy"
    rings: RingOptions | None = None
    color: str = "auto"
    rotation: Rotation | None = None
    metrics: Place | None = None
    page: bool = False
    bundling: Bundling | None = None
    wrapped: Command | None = None


class RecordingError(Exception):
    """Something to be recorded has nowhere to go; the message names it and the remedy."""


def run(pairs: Sequence[Settings], recording: Recording, tell: Warn | None = None) -> int:
    """Run vuproxy and return its exit status; `AddressError`, `RecordingError` or `LimitError` if it cannot start.

    Each of `pairs` is a front-end with its back-end. The status is that of the wrapped command, if there is one.
    `tell` receives all reports, the summary last; by default they go to standard error.
    """
    if tell is not None:
        return _run(pairs, recording, tell, tell)
    diagnostics = Diagnostics("vuproxy")
    try:
        return _run(pairs, recording, diagnostics, diagnostics.inform)
    finally:
        diagnostics.close()


def _run(pairs: Sequence[Settings], recording: Recording, tell: Warn, inform: Warn) -> int:
    service = Service()
    raise_descriptor_limit()
    require_descriptors(_DESCRIPTORS_NEEDED)
    for settings in pairs:
        _check_streams(settings, recording)
    # A terminal that stops background writers must not stop the relay or the live transcript.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    epoch_offset = time.time_ns() - time.monotonic_ns()
    # Without the folder of the program, which is private: captures are shared.
    command = shlex.join([recording.program, *sys.argv[1:]])
    encoder = CaptureEncoder(
        f"vuproxy {__version__}", command, recording.snaplen, epoch_offset, keep_keys=recording.keep_keys
    )
    recorder = Recorder(encoder, recording.snaplen, tell)
    try:
        relay = Relay(pairs, recorder, tell)
    except OSError as error:
        raise LimitError(f"the relay cannot start: {error.strerror}") from None
    _stop_on_signals(relay)
    if recording.while_read:
        # A pipe whose reader is gone is reported whichever events are requested.
        relay.poller.watch(_STDOUT, 0, relay.stop, lambda _: relay.stop())
    observer = ring_observer = metrics = page = triggers = None
    path = recording.capture or (
        time.strftime("vuproxy-%Y%m%d-%H%M%S.pcapng") if recording.rotation is None else "vuproxy.pcapng"
    )
    try:
        if recording.rings is not None:
            ring_observer = _start_ring_observer(recording.rings, encoder, relay, tell)
            recorder.offer_descriptors(ring_observer.offer)
            recorder.look_before_closing(ring_observer.last_look)
        if _has_transcript(recording):
            observer = _start_observer(recording, path, encoder, tell)
        if recording.metrics is not None:
            metrics = _start_metrics(recording.metrics, pairs[0], encoder, tell)
        if recording.page:
            page = _start_page(encoder, tell)
        if recording.bundling is not None:
            triggers = _start_triggers(recording.bundling, recording, path, encoder, tell)
            signal.signal(signal.SIGUSR1, lambda *_, watch=triggers: watch.trigger())
        # Last, so that an older capture is not lost if something else is wrong.
        if recording.rotation is not None:
            capture: _Capture | _RotatedCapture = _open_rotated(recording.rotation, path, encoder, tell)
        else:
            capture = _open_capture(recording, path, encoder, tell)
        greeted = [greeting(settings) for settings in pairs]
        if recording.wrapped is None:
            for line in greeted:
                inform(line)
        inform(capture.line)
        if recording.metrics is not None:
            inform(f"metrics at {escaped(str(recording.metrics))}")
        if page is not None:
            inform(f"page at {page.address}")
        if isinstance(capture, _RotatedCapture):
            recorder.add_rotating_sink(capture.sink)
        else:
            recorder.add_sink(capture.sink)
        if observer is not None:
            recorder.add_sink(observer.sink)
        if ring_observer is not None:
            recorder.add_sink(ring_observer.sink)
        if metrics is not None:
            recorder.add_sink(metrics.sink)
        if page is not None:
            recorder.add_sink(page.sink)
        if triggers is not None:
            recorder.add_sink(triggers.sink)
        service.ready(escaped("; ".join(greeted)))
        if recording.wrapped is not None:
            _start_command(recording.wrapped, relay)
        relay.run()
        service.stopping()
    except (AddressError, RecordingError):
        for companion in (observer, ring_observer, metrics, page, triggers):
            if companion is not None:
                companion.abandon()
        raise
    finally:
        if recording.wrapped is not None:
            recording.wrapped.stop()
        relay.close()
    recorder.close()
    if ring_observer is not None:
        ring_observer.finish()
    if metrics is not None:
        metrics.finish()
    if page is not None:
        page.finish()
    if triggers is not None:
        triggers.finish()
    left = capture.left()
    summary = Summary(relay, recorder, capture.sink.lost, observer.finish() if observer else Report(), left)
    inform(str(summary))
    return summary.status if recording.wrapped is None else recording.wrapped.status


def _has_transcript(recording: Recording) -> bool:
    return not (recording.quiet or recording.capture == "-")


def _check_streams(settings: Settings, recording: Recording) -> None:
    """Make sure that there is somewhere to write to, and that it is not a socket of the two sides."""
    if _has_transcript(recording) and fcntl(_STDOUT, F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise RecordingError("standard output is closed, so there is nowhere to write the live transcript: use -q")
    for address in (settings.front_end, settings.back_end):
        for stream, name in _STREAMS.items():
            if address.fd is not None and stream in _written_to(recording) and _is_same(address.fd, stream):
                if stream == _STDERR:
                    # Not even this error may be written into a connection.
                    hide(stream)
                raise RecordingError(
                    f"{address} is {name}, which the proxy writes to: use another number, such as fd:3"
                )


def _written_to(recording: Recording) -> tuple[int, ...]:
    """The standard streams that the proxy writes to."""
    return (_STDERR,) if recording.quiet else (_STDOUT, _STDERR)


def _is_same(fd: int, stream: int) -> bool:
    try:
        return same_file(fd, stream)
    except OSError:
        # Not open: this is reported when it is needed.
        return False


def _start_observer(recording: Recording, path: str, encoder: CaptureEncoder, tell: Warn) -> Observer:
    options = [f"--capture={path}", f"--color={recording.color}", *(["-v"] if recording.verbose else [])]
    if recording.shown:
        options.append(f"--filter={recording.shown}")
    try:
        return Observer(options, encoder.preamble(), _gap_maker(encoder), tell)
    except OSError as error:
        raise RecordingError(f"cannot start the live transcript: {error.strerror}: leave it out with -q") from None


def _start_ring_observer(options: RingOptions, encoder: CaptureEncoder, relay: Relay, tell: Warn) -> RingObserver:
    try:
        observer = RingObserver(
            options, encoder.preamble(), _gap_maker(encoder), tell, relay.observed, relay.poller.later
        )
    except OSError as error:
        raise RecordingError(f"cannot start to observe rings: {error.strerror}: leave out --rings") from None
    relay.poller.watch(observer.report, READABLE, observer.read, lambda _: relay.poller.forget(observer.report))
    return observer


def _start_command(command: Command, relay: Relay) -> None:
    try:
        pidfd = command.start()
    except OSError as error:
        raise RecordingError(f"{command.words[0]}: cannot be started: {error.strerror}") from None

    def ended() -> None:
        relay.poller.forget(pidfd)
        os.close(pidfd)
        command.finish()
        relay.end()

    relay.poller.watch(pidfd, READABLE, ended, lambda _: ended())


def _start_metrics(place: Place, settings: Settings, encoder: CaptureEncoder, tell: Warn) -> MetricsServer:
    try:
        return MetricsServer(place, str(settings.front_end), encoder.preamble(), _gap_maker(encoder), tell)
    except OSError as error:
        raise RecordingError(f"cannot start to collect metrics: {error.strerror}: leave out --metrics") from None


def _start_page(encoder: CaptureEncoder, tell: Warn) -> PageServer:
    try:
        return PageServer(encoder.preamble(), _gap_maker(encoder), tell)
    except OSError as error:
        raise RecordingError(f"cannot serve a page: {error.strerror}: leave out --ui") from None


def _start_triggers(
    bundling: Bundling, recording: Recording, path: str, encoder: CaptureEncoder, tell: Warn
) -> TriggerWatch:
    command = shlex.join([recording.program, *sys.argv[1:]])
    is_rotated = recording.rotation is not None
    try:
        return TriggerWatch(
            bundling, path, command, encoder.preamble(), _gap_maker(encoder), tell, is_rotated=is_rotated
        )
    except OSError as error:
        raise RecordingError(f"cannot start to watch for triggers: {error.strerror}: leave out --bundle-on") from None


def _open_capture(recording: Recording, path: str, encoder: CaptureEncoder, tell: Warn) -> "_Capture":
    if recording.capture == "-" and os.isatty(_STDOUT):
        raise RecordingError("-w -: standard output is a terminal: pipe it into wireshark -k -i -, or name a file")
    # A generated name is a new file. A named pipe without a reader is an error instead of a long wait.
    label = "standard output" if path == "-" else path
    text_on = (_STDERR,) if path == "-" else _written_to(recording)
    place = "/dev/stdout" if path == "-" else path
    replaces = is_file(place)
    try:
        with beginning(place, text_on=text_on, replace=recording.capture is not None, flags=os.O_NONBLOCK) as fd:
            sink = sink_for(fd, label, encoder.preamble(), _gap_maker(encoder), tell)
    except OSError as error:
        raise RecordingError(f"{label}: cannot be written: {error.strerror}: name another file with -w") from None
    line = f"recording to {escaped(label)}" + (", which is replaced" if replaces else "")
    return _Capture(sink, path, line, len(encoder.preamble()) if is_file(place) else 0)


@dataclass(frozen=True, slots=True)
class _Capture:
    """The capture that is written: what is reported at the start, and its size without any record, 0 for a pipe."""

    sink: Sink
    path: str
    line: str
    empty: int

    def left(self) -> str:
        """What is reported at the end. A file without any record is removed."""
        if not self.empty:
            return ""
        with suppress(OSError):
            if os.stat(self.path).st_size > self.empty:
                return f"vudissect summary {shlex.quote(self.path)} shows what happened"
            os.unlink(self.path)
        return f"nothing was recorded: {self.path} is removed"


def _open_rotated(rotation: Rotation, path: str, encoder: CaptureEncoder, tell: Warn) -> "_RotatedCapture":
    def event(kind: RecordKind, connection: int, details: Mapping[str, str | int]) -> bytes:
        return encoder.event(kind, connection, Channel.MAIN, 0, time.monotonic_ns(), details)

    records = Records(
        encoder.preamble,
        lambda details: event(RecordKind.CONTINUED, 0, details),
        lambda connection: event(RecordKind.GAP, connection, {"reason": "there is no room to repeat its set-up"}),
    )
    names = FileNames(path)
    try:
        return _RotatedCapture(RotatingSink(rotation, names, records, _gap_maker(encoder), tell), names)
    except OSError as error:
        raise RecordingError(f"{names}: cannot be written: {error.strerror}: name another file with -w") from None


@dataclass(frozen=True, slots=True)
class _RotatedCapture:
    """A capture in several files."""

    sink: RotatingSink
    names: FileNames

    @property
    def line(self) -> str:
        """What is reported at the start."""
        return f"recording to {escaped(self.sink.path)} and further files"

    def left(self) -> str:
        """What is reported at the end. A file without any record is removed."""
        if self.sink.wrote:
            return f"vudissect summary {shlex.quote(self.sink.path)} shows what happened last"
        with suppress(OSError):
            os.unlink(self.sink.path)
        return f"nothing was recorded: {self.sink.path} is removed"


def _gap_maker(encoder: CaptureEncoder) -> MakeGap:
    def gap(messages: int, reason: str) -> bytes:
        details: dict[str, str | int] = {"messages": messages, "reason": reason}
        return encoder.event(RecordKind.GAP, 0, Channel.MAIN, 0, time.monotonic_ns(), details)

    return gap


def _stop_on_signals(relay: Relay) -> None:
    """Let the first signal end the relay cleanly, and the second at once. Under nohup a hangup does not end it."""
    ending = {*_ENDING_SIGNALS}
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        ending.remove(signal.SIGHUP)

    def stop(number: int, _: FrameType | None) -> None:
        for each in ending:
            signal.signal(each, signal.SIG_DFL)
        relay.stop()

    for number in ending:
        signal.signal(number, stop)
