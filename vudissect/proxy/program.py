"""The vuproxy program: opens the capture, starts its companions, relays until stopped, prints a summary."""

import os
import signal
import time
from collections.abc import Sequence
from fcntl import F_GETFL, fcntl
from types import FrameType

from vudissect import __version__
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.record import RecordKind
from vudissect.host.address import AddressError
from vudissect.host.limits import LimitError, raise_descriptor_limit, require_descriptors
from vudissect.host.output import same_file
from vudissect.host.service import Service
from vudissect.host.streams import hide
from vudissect.host.text import escaped
from vudissect.protocol.model import Channel
from vudissect.proxy.command import Wrapped
from vudissect.proxy.companion import Companion, Feed
from vudissect.proxy.companions import start_companions
from vudissect.proxy.diagnostics import Diagnostics, Warn
from vudissect.proxy.greeting import greeting
from vudissect.proxy.observer import Observer, Report
from vudissect.proxy.outlet import gap_maker, open_outlet
from vudissect.proxy.poller import READABLE
from vudissect.proxy.recorder import Recorder
from vudissect.proxy.recording import STDERR, STDOUT, Recording, RecordingError
from vudissect.proxy.relay import Relay
from vudissect.proxy.shared import Settings
from vudissect.proxy.summary import Summary

_STREAMS = {STDOUT: "standard output", STDERR: "standard error"}

# About ten of our own, two for a connection, three for each further channel, and those of a memory table in transit.
_DESCRIPTORS_NEEDED = 24
# The connections of a command that has ended are closed by then.
_SETTLED_SECONDS = 1.0
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
    encoder = CaptureEncoder(
        f"vuproxy {__version__}", recording.command, recording.snaplen, epoch_offset, keep_keys=recording.keep_keys
    )
    recorder = Recorder(encoder, recording.snaplen, tell)
    try:
        relay = Relay(pairs, recorder, tell, recording.faults)
    except OSError as error:
        raise LimitError(f"the relay cannot start: {error.strerror}") from None
    _stop_on_signals(relay)
    if recording.while_read:
        # A pipe whose reader is gone is reported whichever events are requested.
        relay.poller.watch(STDOUT, 0, relay.stop, lambda _: relay.stop())
    feed, path = Feed(encoder.preamble(), gap_maker(encoder), tell), recording.path
    companions: list[Companion] = []
    try:
        companions.extend(start_companions(recording, path, feed, relay, recorder))
        # Last, so that an older capture is not lost if something else is wrong.
        outlet = open_outlet(recording, path, encoder, feed)
        greeted = [greeting(settings) for settings in pairs]
        for line in (
            *(greeted if recording.wrapped is None else ()),
            outlet.line,
            *(companion.line for companion in companions if companion.line),
        ):
            inform(line)
        outlet.join(recorder)
        for companion in companions:
            recorder.add_sink(companion.sink)
        service.ready(escaped("; ".join(greeted)))
        if recording.wrapped is not None:
            _start_command(recording.wrapped, pairs, relay, recorder, passes_usr1=recording.bundling is None)
        relay.run()
        service.stopping()
    except (AddressError, RecordingError):
        for companion in companions:
            companion.abandon()
        raise
    finally:
        if recording.wrapped is not None:
            recording.wrapped.stop()
        relay.close()
    recorder.close()
    for companion in companions:
        companion.finish()
    report = next((each.found for each in companions if isinstance(each, Observer)), Report())
    faults = recording.faults.summary if recording.faults is not None else ""
    summary = Summary(relay, recorder, outlet.sink.lost, report, outlet.left(), faults)
    inform(str(summary))
    status = recording.wrapped.status if recording.wrapped is not None else None
    return summary.status if status is None else status


def _check_streams(settings: Settings, recording: Recording) -> None:
    """Make sure that there is somewhere to write to, and that it is not a socket of the two sides."""
    if recording.has_transcript and fcntl(STDOUT, F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise RecordingError("standard output is closed, so there is nowhere to write the live transcript: use -q")
    for address in (settings.front_end, settings.back_end):
        for stream, name in _STREAMS.items():
            if address.fd is not None and stream in recording.written_to and _is_same(address.fd, stream):
                if stream == STDERR:
                    # Not even this error may be written into a connection.
                    hide(stream)
                raise RecordingError(
                    f"{address} is {name}, which the proxy writes to: use another number, such as fd:3"
                )


def _is_same(fd: int, stream: int) -> bool:
    try:
        return same_file(fd, stream)
    except OSError:
        # Not open: this is reported when it is needed.
        return False


def _start_command(
    command: Wrapped, pairs: Sequence[Settings], relay: Relay, recorder: Recorder, *, passes_usr1: bool
) -> None:
    ours = {side.fd for settings in pairs for side in (settings.front_end, settings.back_end) if side.fd is not None}
    try:
        pidfd = command.start(ours, passes_usr1=passes_usr1)
    except OSError as error:
        raise RecordingError(f"{command.words[0]}: cannot be started: {error.strerror}") from None

    def ended() -> None:
        relay.poller.forget(pidfd)
        os.close(pidfd)
        command.finish()
        details: dict[str, str | int] = {"text": f"{os.path.basename(command.words[0])} has ended"}
        if command.status is not None:
            details["text"] = f"{details['text']} with exit status {command.status}"
            details["status"] = command.status
        recorder.event(RecordKind.NOTE, 0, Channel.MAIN, 0, details)
        relay.end()
        relay.poller.later(_SETTLED_SECONDS, settled)

    def settled() -> None:
        command.goes_on = relay.is_connected

    relay.hold()
    relay.poller.watch(pidfd, READABLE, ended, lambda _: ended())


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
