"""Runs a relay with faults in a thread of this process for the duration of a block."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path

from vudissect import __version__
from vudissect.capture.codec import CaptureEncoder
from vudissect.host.address import Address
from vudissect.proxy.diagnostics import Warn
from vudissect.proxy.faulting import Faults
from vudissect.proxy.outlet import gap_maker
from vudissect.proxy.recorder import Recorder
from vudissect.proxy.relay import Relay
from vudissect.proxy.shared import Settings
from vudissect.proxy.sink import sink_for

_SNAPLEN = 1 << 16
_SHOW_EVERY_SECONDS = 0.01


@contextmanager
def relaying(sides: tuple[Address, Address], capture: Path, faults: Faults, warn: Warn) -> Iterator[None]:
    """Relay between the front-end and the back-end, and record to `capture`; a side may be missing for any time.

    `faults` sees each record a moment after it is made, in the thread of the relay. The capture is complete after the
    block; `warn` is called if it is not. Raises `AddressError`, or `OSError` if the capture cannot be written.
    """
    encoder = CaptureEncoder(
        f"vuproxy {__version__}", "vudissect check --scenario", _SNAPLEN, time.time_ns() - time.monotonic_ns()
    )
    recorder = Recorder(encoder, _SNAPLEN, warn)
    file = os.open(capture, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    recorder.add_sink(sink_for(file, str(capture), encoder.preamble(), gap_maker(encoder), warn))
    # That a side is not there yet is what is tried here.
    relay = Relay([Settings(*sides, wait=inf)], recorder, lambda _: None, faults)

    def show() -> None:
        recorder.catch_up()
        relay.poller.later(_SHOW_EVERY_SECONDS, show)

    relay.poller.later(0, show)
    thread = threading.Thread(target=relay.run)
    thread.start()
    try:
        yield
    finally:
        relay.stop()
        thread.join()
        relay.close()
        recorder.close()
