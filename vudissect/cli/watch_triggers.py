"""The triggers of a running vuproxy, in a separate process that reads the capture from standard input.

It writes an empty line once it is ready. SIGUSR1, the control socket and the log of a command that vuproxy has started
are triggers, too. A bundle is made by a child, so that this process goes on to watch.
"""

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from shutil import rmtree
from time import monotonic, monotonic_ns

import click

from vudissect.analysis import Analysis
from vudissect.bundle.log import LastLines
from vudissect.bundle.make import Cause, write_bundle
from vudissect.bundle.sides import Sides
from vudissect.bundle.trigger import from_words
from vudissect.capture.errors import CaptureError
from vudissect.capture.reader import read_capture
from vudissect.capture.record import RecordKind
from vudissect.cli.errors import clear_errors, warn
from vudissect.cli.program import Program
from vudissect.host.output import write_all
from vudissect.host.tail import Tail
from vudissect.proxy.rotation import FileNames
from vudissect.proxy.triggers import CONTROL_FD

_STDIN, _STDERR = 0, 2
_LOOK_EVERY_SECONDS = 0.1
# What led to it is in the capture by then, and what follows from it.
_DELAY_SECONDS = 0.5
# A back-end that crashes again and again must not fill the disk.
_MOST_BUNDLES = 20
_MOST_COMMAND = 1000
_CLIENT_SECONDS = 1.0


@dataclass(slots=True)
class _Wanted:
    """A bundle to be made: why, when, and who waits for it."""

    due: float
    reasons: list[str] = field(default_factory=list)
    clients: list[socket.socket] = field(default_factory=list)


class _Started:
    """The command that vuproxy has started, and its log."""

    def __init__(self, command: str, log: str, *, copied: bool) -> None:
        self._command = command
        self._tail = Tail(log, frees=copied) if log else None
        self._copied = copied
        self._log = LastLines()

    def new_lines(self) -> list[str]:
        """The lines of the log since the last call."""
        data = self._tail.read() if self._tail is not None else b""
        if data and self._copied:
            with suppress(OSError):
                write_all(_STDERR, data)
        return self._log.add(data)

    def facts(self) -> Mapping[str, str]:
        """Texts for a bundle by file name."""
        texts = {"command/cmdline.txt": f"{self._command}\n", "command/log.txt": self._log.text}
        return {name: text for name, text in texts.items() if text.strip()}


class _Bundler:
    """Makes bundles of the capture."""

    def __init__(
        self,
        capture: str,
        command: str,
        facts: Callable[[], Mapping[str, str]],
        *,
        redact: bool,
        addresses: bool,
        is_rotated: bool,
    ) -> None:
        """`facts` are texts for a bundle by file name."""
        self._capture = capture
        self._command = command
        self._facts = facts
        self._redact = redact
        self._addresses = addresses
        self._is_rotated = is_rotated
        self._wanted: _Wanted | None = None
        self._running: dict[int, tuple[str, str, list[socket.socket]]] = {}
        self._made = 0

    def want(self, reason: str, client: socket.socket | None = None, *, is_asked: bool = False) -> None:
        """Make a bundle soon; a reason that nobody asked for counts only so many times."""
        if not is_asked and self._made >= _MOST_BUNDLES:
            return
        if self._wanted is None:
            self._wanted = _Wanted(monotonic() + _DELAY_SECONDS)
        self._wanted.reasons.append(reason)
        if client is not None:
            self._wanted.clients.append(client)

    def work(self, *, at_once: bool = False) -> None:
        """Start what is due, and report what is done."""
        if self._wanted is not None and (at_once or monotonic() >= self._wanted.due):
            wanted, self._wanted = self._wanted, None
            self._start(wanted)
        for pid in list(self._running):
            done, status = os.waitpid(pid, 0 if at_once else os.WNOHANG)
            if done:
                self._report(status == 0, *self._running.pop(pid))

    def _start(self, wanted: _Wanted) -> None:
        reason = "; ".join(dict.fromkeys(wanted.reasons))
        base, _ = os.path.splitext(self._capture)
        path = _free(f"{base}_bundle_{time.strftime('%Y%m%d-%H%M%S')}")
        cause, facts = Cause(reason), self._facts()
        self._made += 1
        try:
            kept = _linked(self._capture, is_rotated=self._is_rotated)
        except OSError as error:
            warn(f"{path}: cannot be made: {error.strerror}")
            self._answer(wanted.clients, f"failed {path}")
            return
        pid = os.fork()
        if pid:
            self._running[pid] = path, reason, wanted.clients
            if self._made == _MOST_BUNDLES:
                warn(f"this is bundle {_MOST_BUNDLES}: from now on only SIGUSR1 and the control socket make one")
            return
        status = 1
        try:
            files = sorted(os.path.join(kept, name) for name in os.listdir(kept))
            write_bundle(
                path, files, cause, facts, command=self._command, redact=self._redact, addresses=self._addresses
            )
            status = 0
        except Exception as error:
            warn(f"{path}: cannot be made: {error}")
        finally:
            rmtree(kept, ignore_errors=True)
            os._exit(status)

    def _report(self, is_made: bool, path: str, reason: str, clients: list[socket.socket]) -> None:
        if is_made:
            warn(f"bundle {path}: {reason}")
        self._answer(clients, f"{'made' if is_made else 'failed'} {path}")

    def _answer(self, clients: list[socket.socket], text: str) -> None:
        for client in clients:
            with suppress(OSError):
                client.sendall(f"{text}\n".encode())
            client.close()


class _Feed:
    """Standard input and the control socket; `in_pause` is called now and then."""

    def __init__(self, control: socket.socket | None, asked: Callable[[str, socket.socket], None]) -> None:
        self.in_pause: Callable[[], None] = lambda: None
        self._control = control
        self._asked = asked
        self._next = 0.0

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, and none at the end."""
        watched = [_STDIN] if self._control is None else [_STDIN, self._control.fileno()]
        while True:
            if monotonic() >= self._next:
                self._next = monotonic() + _LOOK_EVERY_SECONDS
                self.in_pause()
            ready = select.select(watched, [], [], _LOOK_EVERY_SECONDS)[0]
            if self._control is not None and self._control.fileno() in ready:
                self._serve(self._control)
            if _STDIN in ready:
                return os.read(_STDIN, size)

    def _serve(self, control: socket.socket) -> None:
        try:
            client, _ = control.accept()
        except OSError:
            return
        client.settimeout(_CLIENT_SECONDS)
        text = ""
        with suppress(OSError):
            text = client.recv(_MOST_COMMAND).decode(errors="backslashreplace").strip()
        word, _, reason = text.partition(" ")
        if word == "bundle":
            self._asked(reason or "asked through the control socket", client)
            return
        with suppress(OSError):
            client.sendall(b"unknown: write bundle REASON\n")
        client.close()


def _linked(capture: str, *, is_rotated: bool) -> str:
    """A new folder with the files of a capture, which no rotation removes."""
    folder = os.path.dirname(capture)
    kept = os.path.join(folder, f".vudissect-{os.urandom(8).hex()}")
    os.mkdir(kept, 0o700)
    for path in [path for _, path in FileNames(capture).existing()] if is_rotated else [capture]:
        with suppress(FileNotFoundError):
            os.link(path, os.path.join(kept, os.path.basename(path)))
    return kept


def _free(base: str) -> str:
    """The path of a bundle that does not exist yet."""
    path, number = f"{base}.zip", 1
    while os.path.exists(path):
        number += 1
        path = f"{base}-{number}.zip"
    return path


@click.command(cls=Program)
@click.option("--capture", required=True)
@click.option("--command", "command_line", required=True)
@click.option("--on", "words", multiple=True)
@click.option("--no-redaction", is_flag=True)
@click.option("--redact-addresses", is_flag=True)
@click.option("--rotated", "is_rotated", is_flag=True)
@click.option("--control", "has_control", is_flag=True)
@click.option("--started", "started_words", default="")
@click.option("--log", default="")
@click.option("--copy-log", is_flag=True)
@click.option("--report-fd", type=int, default=3)
def main(
    capture: str,
    command_line: str,
    words: tuple[str, ...],
    no_redaction: bool,
    redact_addresses: bool,
    is_rotated: bool,
    has_control: bool,
    started_words: str,
    log: str,
    copy_log: bool,
    report_fd: int,
) -> None:
    """Watch for triggers, and make bundles; started by vuproxy."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # vuproxy ends the stream when it is done
    triggers, sides = from_words(words), Sides()
    started = _Started(started_words, log, copied=copy_log)
    bundler = _Bundler(
        capture,
        command_line,
        lambda: {**sides.facts(), **started.facts()},
        redact=not no_redaction,
        addresses=redact_addresses,
        is_rotated=is_rotated,
    )
    signal.signal(signal.SIGUSR1, lambda *_: bundler.want("SIGUSR1", is_asked=True))
    control = socket.socket(fileno=CONTROL_FD) if has_control else None
    feed = _Feed(control, lambda reason, client: bundler.want(reason, client, is_asked=True))
    os.write(report_fd, b"\n")
    with clear_errors("triggers"):
        analysis = Analysis(read_capture(feed), live=True)

        def look_at_log() -> None:
            for line in started.new_lines():
                for reason in triggers.at_line(line):
                    bundler.want(reason)

        def look() -> None:
            look_at_log()
            for reason in triggers.at(analysis.session, monotonic_ns()):
                bundler.want(reason)
            bundler.work()

        feed.in_pause = look
        try:
            for event, findings in analysis:
                if event.record.kind is RecordKind.CONNECTION_OPENED:
                    sides.opened(event.record)
                for reason in triggers.after(event, findings):
                    bundler.want(reason)
        except CaptureError as error:
            warn(f"triggers are not watched any more: {error}")
        look_at_log()
    bundler.work(at_once=True)


if __name__ == "__main__":
    # The program that the user started.
    sys.argv[0] = "vuproxy"
    main()
