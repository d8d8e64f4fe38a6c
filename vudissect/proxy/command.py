"""The command of `vuproxy run`: started as if the user had started it, and waited for without a thread."""

import os
import resource
import signal
import subprocess
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from types import FrameType
from typing import Protocol

from vudissect.proxy.handover import Handover

_NOFILE = resource.RLIMIT_NOFILE
_BY_SIGNAL = 128  # what shells add to the number of the signal that ended a program
_STANDARD = (0, 1, 2)
_PRIVATE = 0o600

# From a terminal, these reach the command as well as this process.
_TYPED = (signal.SIGINT, signal.SIGQUIT)
_PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Surroundings:
    """What this process was started with and a command gets unchanged. `inherited` are descriptors.

    No other process gets these, so that whoever waits for the end of a pipe waits for the command.
    """

    def __init__(self) -> None:
        self.limits = resource.getrlimit(_NOFILE)
        self.background_writes = signal.getsignal(signal.SIGTTOU)
        self.inherited = [fd for fd in _open_descriptors() if fd not in _STANDARD and os.get_inheritable(fd)]
        for fd in self.inherited:
            os.set_inheritable(fd, False)

    def others(self, ours: Collection[int]) -> list[int]:
        """The inherited descriptors but ours."""
        return [fd for fd in self.inherited if fd not in ours]


class Wrapped(Protocol):
    """A program that uses the sockets of a relay, from its start to its end.

    `words` is its command line. `log` is a file with its log, "" for none; `writes_log`: its standard error goes there,
    and has to be copied. `goes_on`: something of it is still there when this process ends. It has a `status` if this
    process knows how it has ended.
    """

    words: list[str]
    log: str
    writes_log: bool
    goes_on: bool

    @property
    def status(self) -> int | None:
        """Its exit status, None if that is unknown."""

    def start(self, ours: Collection[int], *, passes_usr1: bool) -> int:
        """Let it begin; returns a pidfd. Raises `OSError`.

        `ours` are inherited descriptors that are not for it. `passes_usr1`: also pass SIGUSR1 on to it.
        """

    def finish(self) -> None:
        """It has ended."""

    def stop(self) -> None:
        """This process ends."""


class Command:
    """A program with its arguments, started by this process.

    `log` is a file with its log, "" for none. `writes_log`: its standard error goes there, and has to be copied.
    `links` are paths and where they lead: they are made if the program is still there when this process is gone.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        words: list[str],
        *,
        log: str = "",
        writes_log: bool = False,
        links: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.words = words
        self.log = log
        self.writes_log = writes_log
        self.status = 0
        self.goes_on = False
        """Whether something of it is still there after its end: it has gone into the background."""
        self._surroundings = surroundings
        self._links = links
        self._process: subprocess.Popen[bytes] | None = None
        self._handover: Handover | None = None

    def start(self, ours: Collection[int], *, passes_usr1: bool) -> int:
        """Start it, and pass signals on to it from now on."""
        passed = self._surroundings.others(ours)
        if self._links:
            self._handover = Handover(self._links)
        self._process = self._started(passed)
        for fd in passed:
            os.close(fd)
        on_terminal = _is_in_foreground()
        for number in _TYPED:
            _handle(number, _ignore if on_terminal else self._pass_on)
        for number in _PASSED_ON:
            if number != signal.SIGUSR1 or passes_usr1:
                _handle(number, self._pass_on)
        return os.pidfd_open(self._process.pid)

    def finish(self) -> None:
        """Take its exit status, once its pidfd is readable."""
        if self._process is not None:
            code = self._process.wait()
            self.status = code if code >= 0 else _BY_SIGNAL - code

    def stop(self) -> None:
        """End it if it still runs: the sockets that it uses go away."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self.finish()
        if self._handover is not None:
            self._handover.finish(is_needed=self.goes_on)
            self._handover = None

    def _started(self, passed: list[int]) -> "subprocess.Popen[bytes]":
        limits, background_writes = resource.getrlimit(_NOFILE), signal.getsignal(signal.SIGTTOU)
        errors = None
        try:
            if self.writes_log:
                errors = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _PRIVATE)
            resource.setrlimit(_NOFILE, self._surroundings.limits)
            signal.signal(signal.SIGTTOU, self._surroundings.background_writes)
            return subprocess.Popen(self.words, stderr=errors, pass_fds=passed)
        finally:
            resource.setrlimit(_NOFILE, limits)
            signal.signal(signal.SIGTTOU, background_writes)
            if errors is not None:
                os.close(errors)

    def _pass_on(self, number: int, _: FrameType | None) -> None:
        if self._process is not None:
            self._process.send_signal(number)


def _handle(number: signal.Signals, handler: Callable[[int, FrameType | None], None]) -> None:
    """Handle a signal, unless it is ignored, as under nohup: then the command ignores it, too."""
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, handler)


def _ignore(_number: int, _: FrameType | None) -> None:
    """Not SIG_IGN, which the command would inherit."""


def _open_descriptors() -> list[int]:
    with os.scandir("/proc/self/fd") as entries:
        # One of them is that of the folder.
        return [fd for fd in [int(entry.name) for entry in entries] if os.path.exists(f"/proc/self/fd/{fd}")]


def _is_in_foreground() -> bool:
    with suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False
