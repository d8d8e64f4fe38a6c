"""The command of `vuproxy run`: started as if the user had started it, and waited for without a thread."""

import os
import resource
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

_NOFILE = resource.RLIMIT_NOFILE
_BY_SIGNAL = 128  # what shells add to the number of the signal that ended a program

# From a terminal, these reach the command as well as this process.
_TYPED = (signal.SIGINT, signal.SIGQUIT)
_PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Command:
    """A program with its arguments. What `vuproxy` changes about itself from now on does not reach it."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.status = 0
        self._limits = resource.getrlimit(_NOFILE)
        self._background_writes = signal.getsignal(signal.SIGTTOU)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        """Start it, and pass signals on to it from now on; returns a pidfd. Raises `OSError`."""
        ours = resource.getrlimit(_NOFILE), signal.getsignal(signal.SIGTTOU)
        try:
            resource.setrlimit(_NOFILE, self._limits)
            signal.signal(signal.SIGTTOU, self._background_writes)
            # Inherited descriptors are part of the command line. Our own are closed when it starts.
            self._process = subprocess.Popen(self.words, close_fds=False)
        finally:
            resource.setrlimit(_NOFILE, ours[0])
            signal.signal(signal.SIGTTOU, ours[1])
        on_terminal = _is_in_foreground()
        for number in _TYPED:
            _handle(number, _ignore if on_terminal else self._pass_on)
        for number in _PASSED_ON:
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

    def _pass_on(self, number: int, _: FrameType | None) -> None:
        if self._process is not None:
            self._process.send_signal(number)


def _handle(number: signal.Signals, handler: Callable[[int, FrameType | None], None]) -> None:
    """Handle a signal, unless it is ignored, as under nohup: then the command ignores it, too."""
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, handler)


def _ignore(_number: int, _: FrameType | None) -> None:
    """Not SIG_IGN, which the command would inherit."""


def _is_in_foreground() -> bool:
    with suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False
