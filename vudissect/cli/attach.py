"""`vudissect attach`: records processes that already run, by tracing them."""

import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from types import FrameType

import click

from vudissect import __version__
from vudissect.analysis import Analysis
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.packet import MAX_MESSAGE
from vudissect.capture.record import Record
from vudissect.cli.colour import color_option, output_style
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE
from vudissect.cli.errors import clear_errors, fail, warn
from vudissect.cli.interruption import ignore_signals
from vudissect.host.output import beginning, write_all
from vudissect.host.peer import process
from vudissect.host.process_files import open_files, path_at, peer_at
from vudissect.host.tracer import Tracer, TracerError, Way, choose, cost
from vudissect.lint.words import count_text
from vudissect.render.transcript import Transcript
from vudissect.render.units import duration_text
from vudissect.session.waits import Patience
from vudissect.sources.attached import PATIENCE, Attached, Details
from vudissect.sources.kernel_trace import DELAY, KernelTrace
from vudissect.sources.strace import CALLS, StraceLog

_LARGEST_PID = 1 << 22
_STDOUT = 1
_STANDARD = "-"


@click.command(
    "attach",
    cls=Command,
    examples=[
        ("Watch a VM that hangs", "vudissect attach 1201"),
        ("Record both sides for as long as they run", "vudissect attach 1201 1187 -w session.pcapng"),
        ("With every field", "vudissect attach 1201 -w - | vudissect show -v -"),
    ],
)
@click.argument("pids", type=click.IntRange(1, _LARGEST_PID), nargs=-1, required=True, metavar="PID...")
@click.option("-w", "--write", "output", type=FILE, metavar="FILE", help="Write a capture, too; - for standard output.")
@click.option("-q", "--quiet", is_flag=True, help="Do not show the messages.")
@click.option(
    "--by",
    type=click.Choice([way.value for way in Way]),
    help="How to trace them; by default strace, or bpftrace where strace cannot.",
)
@color_option
def command(pids: tuple[int, ...], output: str | None, quiet: bool, by: str | None) -> None:
    """Record the processes PID, front-ends, back-ends or both, without restarting them.

    They are traced until they end or this is interrupted, and are slower meanwhile.
    """
    if output == _STANDARD and sys.stdout.isatty():
        fail("a capture cannot be shown on a terminal: omit -w to see the messages, or name a file")
    if quiet and output is None:
        fail("-q without -w would do nothing: name a file")
    try:
        way, reason = choose(pids, Way(by) if by else None)
        _announce(pids, way, reason)
        attached = Attached(way.value, _peer, _log(way))
        for pid in pids:
            _add(attached, pid)
        with clear_errors(output or _STANDARD):
            _record(pids, way, attached, output, quiet=quiet or output == _STANDARD)
        ignore_signals()
    except TracerError as error:
        fail(str(error))
    if not attached.messages:
        fail(f"no vhost-user messages passed while {_named(pids)} was traced")
    warn(f"detached after {count_text(attached.messages, 'message')}")


def _announce(pids: Sequence[int], way: Way, reason: str) -> None:
    """What is going to happen, and what it costs, before it does."""
    if way is Way.BPFTRACE:
        because = f", as {reason}" if reason else ""
        warn(f"tracing {_named(pids)} with bpftrace until Ctrl-C{because}; it takes some seconds to begin")
        return
    nanoseconds = cost()
    slower = f"takes about {duration_text(nanoseconds)} longer" if nanoseconds is not None else "takes longer"
    warn(f"tracing {_named(pids)} with strace until Ctrl-C; meanwhile each of its system calls {slower}")


def _log(way: Way) -> StraceLog | KernelTrace:
    if way is Way.STRACE:
        return StraceLog()
    return KernelTrace(time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME), path_at)


def _named(pids: Sequence[int]) -> str:
    return " and ".join(map(str, pids))


def _add(attached: Attached, pid: int) -> None:
    """What /proc shows about a process."""
    with suppress(OSError):
        threads = [int(name) for name in os.listdir(f"/proc/{pid}/task")]
        attached.add_process(pid, threads, dict(process(pid)._asdict()), open_files(pid))


def _peer(pid: int, number: int) -> Details:
    peer = peer_at(pid, number)
    return dict(peer._asdict()) if peer is not None and peer.pid else {}


def _record(pids: Sequence[int], way: Way, attached: Attached, output: str | None, *, quiet: bool) -> None:
    encoder = CaptureEncoder(f"vudissect {__version__}", f"attached to {_named(pids)}", MAX_MESSAGE, 0)
    fd = _opened(output, encoder.preamble()) if output is not None else None
    try:
        with closing(Tracer(pids, sorted(CALLS), way)) as tracer:
            _stop_on_signals(tracer)
            warn(f"attached to {_named(pids)}")
            patience = PATIENCE if way is Way.STRACE else PATIENCE + DELAY
            records = _on_this_clock(_records(tracer, attached, patience))
            if fd is not None:
                records = _written(records, encoder, fd)
            if quiet:
                for _ in records:
                    pass
            else:
                _show(records)
    finally:
        if fd is not None and output != _STANDARD:
            os.close(fd)


def _opened(output: str, preamble: bytes) -> int:
    if output == _STANDARD:
        write_all(_STDOUT, preamble)
        return _STDOUT
    with beginning(output) as fd:
        write_all(fd, preamble)
    return fd


def _stop_on_signals(tracer: Tracer) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        tracer.stop()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)


def _records(tracer: Tracer, attached: Attached, patience: int) -> Iterator[Record | None]:
    """The records as they come; None when there is nothing for a moment."""
    while (lines := tracer.lines()) is not None:
        for line in lines:
            attached.feed(line)
        yield from attached.records(time.time_ns() - patience)
        yield None
    attached.end(time.time_ns())
    yield from attached.records()


def _on_this_clock(records: Iterable[Record | None]) -> Iterator[Record | None]:
    """The same records with monotonic times, as in any capture of a recorder."""
    offset = time.time_ns() - time.monotonic_ns()
    for each in records:
        if each is not None:
            received = max(0, each.received - offset)
            each = each._replace(received=received, forwarded=max(0, each.forwarded - offset))
        yield each


def _written(records: Iterable[Record | None], encoder: CaptureEncoder, fd: int) -> Iterator[Record | None]:
    for each in records:
        if each is not None:
            write_all(fd, encoder.record(each))
        yield each


def _show(records: Iterable[Record | None]) -> None:
    """Print the messages as they pass, and requests that wait."""

    def passing() -> Iterator[Record]:
        for each in records:
            if each is None:
                pause()
            else:
                yield each

    analysis = Analysis(passing(), live=True)
    transcript = Transcript(output_style(), verdict=analysis.session.dialect)
    patience = Patience(analysis.session)

    def pause() -> None:
        _print(transcript.waiting(patience.overdue(time.monotonic_ns())))

    for event, findings in analysis:
        _print(transcript.text(event, findings))
    found = analysis.finish()
    _print(transcript.findings(found))
    _print(transcript.unanswered(analysis.session.unanswered(), found))


def _print(text: str) -> None:
    if text:
        sys.stdout.write(text)
        sys.stdout.flush()
