"""The processes that a recording starts beside the relay: transcript, rings, metrics, page, triggers."""

import signal
from collections.abc import Callable, Iterator
from functools import partial

from vudissect.proxy.companion import Companion, Feed
from vudissect.proxy.metrics import MetricsServer
from vudissect.proxy.observer import Observer
from vudissect.proxy.page import PageServer
from vudissect.proxy.poller import READABLE
from vudissect.proxy.recorder import Recorder
from vudissect.proxy.recording import Recording, RecordingError
from vudissect.proxy.relay import Relay
from vudissect.proxy.ring_observer import RingObserver, RingOptions
from vudissect.proxy.triggers import Bundling, TriggerWatch

# How to start one, what could not be done if that fails, and the remedy.
_Starter = tuple[Callable[[], Companion], str, str]


def start_companions(
    recording: Recording, path: str, feed: Feed, relay: Relay, recorder: Recorder
) -> Iterator[Companion]:
    """Start one after the other; raises `RecordingError` or `AddressError`. `path` is that of the capture."""
    for start, what, remedy in _wanted(recording, path, feed, relay, recorder):
        try:
            yield start()
        except OSError as error:
            raise RecordingError(f"cannot {what}: {error.strerror}: {remedy}") from None


def _wanted(recording: Recording, path: str, feed: Feed, relay: Relay, recorder: Recorder) -> Iterator[_Starter]:
    if recording.rings is not None:
        rings = partial(_rings, recording.rings, feed, relay, recorder)
        yield rings, "start to observe rings", "leave out --rings"
    if recording.has_transcript:
        yield partial(_transcript, recording, path, feed), "start the live transcript", "leave it out with -q"
    if recording.metrics is not None:
        metrics = partial(MetricsServer, recording.metrics, recording.name or relay.name, feed)
        yield metrics, "start to collect metrics", "leave out --metrics"
    if recording.page:
        yield partial(PageServer, feed), "serve a page", "leave out --ui"
    if recording.bundling is not None:
        watch = partial(_triggers, recording.bundling, recording, path, feed)
        yield watch, "start to watch for triggers", "leave out --bundle-on"


def _rings(options: RingOptions, feed: Feed, relay: Relay, recorder: Recorder) -> Companion:
    observer = RingObserver(options, feed, relay.observed, relay.poller.later)
    relay.poller.watch(observer.report, READABLE, observer.read, lambda _: relay.poller.forget(observer.report))
    recorder.offer_descriptors(observer.offer)
    recorder.look_before_closing(observer.last_look)
    return observer


def _transcript(recording: Recording, path: str, feed: Feed) -> Companion:
    options = [f"--capture={path}", f"--color={recording.color}", *(["-v"] if recording.verbose else [])]
    if recording.shown:
        options.append(f"--filter={recording.shown}")
    return Observer(options, feed)


def _triggers(bundling: Bundling, recording: Recording, path: str, feed: Feed) -> Companion:
    is_rotated = recording.rotation is not None
    watch = TriggerWatch(bundling, path, recording.command, feed, is_rotated=is_rotated, started=recording.wrapped)
    signal.signal(signal.SIGUSR1, lambda *_: watch.trigger())
    return watch
