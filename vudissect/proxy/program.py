"""The vuproxy program: opens the capture, starts the live transcript, relays until told to stop, sums up."""

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

from vudissect import __version__
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.record import RecordKind
from vudissect.host.limits import raise_descriptor_limit
from vudissect.proxy.observer import Observer
from vudissect.proxy.recorder import Recorder
from vudissect.proxy.relay import Relay, Settings
from vudissect.proxy.sink import MakeGap, Sink, sink_for
from vudissect.proxy.summary import Summary
from vudissect.spec.model import Channel

_STDOUT = 1
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Recording:
    """Where the capture goes: a file, `-` for standard output, or None for a new file with a name of its own.

    `while_read`: end when nobody reads standard output any more, else the traffic goes on. `program` is what the
    capture names as the program that was called.
    """

    capture: str | None = None
    quiet: bool = False
    verbose: bool = False
    snaplen: int = 65536
    while_read: bool = False
    program: str = "vuproxy"


class RecordingError(Exception):
    """The capture cannot be written at all; the message names it and the remedy."""


def run(settings: Settings, recording: Recording, tell: Callable[[str], None] | None = None) -> int:
    """Be vuproxy, and return the exit status. `AddressError` or `RecordingError` if it cannot even begin.

    `tell` gets what there is to say, the summary last; without it that goes to standard error.
    """
    tell = tell or _warn
    raise_descriptor_limit()
    epoch_offset = time.time_ns() - time.monotonic_ns()
    # Without the folder of the program: it is the user's, and a capture is shown to others.
    command = shlex.join([recording.program, *sys.argv[1:]])
    encoder = CaptureEncoder(f"vuproxy {__version__}", command, recording.snaplen, epoch_offset)
    recorder = Recorder(encoder, recording.snaplen, tell)
    relay = Relay(settings, recorder, tell)
    _stop_on_signals(relay)
    if recording.while_read:
        # A pipe whose reader is gone is reported whatever is asked for.
        relay.poller.watch(_STDOUT, 0, relay.stop, lambda _: relay.stop())
    try:
        capture = _open_capture(recording.capture, encoder, tell)
        recorder.add_sink(capture)
        observer = None
        if not (recording.quiet or recording.capture == "-"):
            observer = Observer(recording.verbose, encoder.preamble(), _gap_maker(encoder), tell)
            recorder.add_sink(observer.sink)
        relay.run()
    finally:
        relay.close()
    recorder.close()
    summary = Summary(relay, recorder, capture.lost, observer.finish() if observer else {})
    tell(str(summary))
    return summary.status


def _open_capture(name: str | None, encoder: CaptureEncoder, tell: Callable[[str], None]) -> Sink:
    if name == "-" and os.isatty(_STDOUT):
        raise RecordingError("-w -: standard output is a terminal: pipe it into wireshark -k -i -, or name a file")
    # A file without a name given is a new one. A named pipe without a reader is an error rather than a long wait.
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC | os.O_NONBLOCK if name else os.O_EXCL)
    path = name or time.strftime("vuproxy-%Y%m%d-%H%M%S.pcapng")
    label = "standard output" if path == "-" else path
    try:
        fd = os.dup(_STDOUT) if path == "-" else os.open(path, flags, 0o600)
        sink = sink_for(fd, label, encoder.preamble(), _gap_maker(encoder), tell)
    except OSError as error:
        raise RecordingError(f"{label}: cannot be written: {error.strerror}: name another file with -w") from None
    tell(f"recording to {label}")
    return sink


def _gap_maker(encoder: CaptureEncoder) -> MakeGap:
    def gap(messages: int, reason: str) -> bytes:
        details: dict[str, str | int] = {"messages": messages, "reason": reason}
        return encoder.event(RecordKind.GAP, 0, Channel.MAIN, 0, time.monotonic_ns(), details)

    return gap


def _stop_on_signals(relay: Relay) -> None:
    """Have the first signal end the relay in good order, and the second at once."""

    def stop(number: int, _: FrameType | None) -> None:
        for each in _ENDING_SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        relay.stop()

    for number in _ENDING_SIGNALS:
        signal.signal(number, stop)


def _warn(text: str) -> None:
    # Whoever closes standard error does not want to read it; the traffic goes on.
    with suppress(OSError):
        print(f"vuproxy: {text}", file=sys.stderr, flush=True)
