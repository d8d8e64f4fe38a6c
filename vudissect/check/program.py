"""The program under test: how it is reached, what becomes of its process, what it wrote.

A program that the suite starts is started again when it has died, and ended in every case.
"""

import errno
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from vudissect.check.ending import end_group, end_strays, marked
from vudissect.check.link import Clock
from vudissect.check.outcome import Life, signal_name
from vudissect.check.process import runs
from vudissect.host.peer import Peer, peer_of

_RETRY = 0.002
_LAST_LINES = 20
_LONGEST_LINE = 300
# A terminating NUL comes after it.
_LONGEST_PATH = 107
_NOBODY = Peer(0, 0, 0)
_ABSENT = {errno.ENOENT, errno.ECONNREFUSED}


class ProgramError(Exception):
    """The program cannot be reached; one line with its own last words."""


class Ended(NamedTuple):
    """How a process is, or has ended; `number` is its exit status or its signal."""

    life: Life
    number: int = 0


class Program(Protocol):
    """What the suite needs of a program, however it is run."""

    clock: Clock
    can_restart: bool
    starting: float
    """Seconds that it took to start it."""
    peer: Peer
    """Who serves, as the peer of our socket."""
    environment: dict[str, str]
    """Variables that it is started with, besides ours."""

    def connect(self, deadline: float) -> socket.socket:
        """A connection; `OSError` if there is none in time."""

    def start(self) -> None:
        """Make sure that it runs; `ProgramError`."""

    def stop(self) -> Ended:
        """End it, and say how it has ended before that."""

    def life(self) -> Ended:
        """How its process is."""

    @property
    def pid(self) -> int:
        """The process that serves, 0 if unknown."""

    @property
    def written(self) -> int:
        """How many bytes it has written so far."""

    def output(self, since: int = 0) -> str:
        """What it has written, or only what it has after it had written so many bytes."""

    def close(self) -> None:
        """End it, and remove what was made for it."""


class Connecting:
    """A program that listens and was not started here."""

    can_restart = False
    starting = 0.0

    def __init__(self, path: str, clock: Clock) -> None:
        self.clock = clock
        self.peer = _NOBODY
        self.environment: dict[str, str] = {}
        self.path = path

    def connect(self, deadline: float) -> socket.socket:
        """See `Program`."""
        sock = _dial(self.path, deadline, self.clock)
        self.peer = peer_of(sock)
        return sock

    def start(self) -> None:
        """See `Program`."""

    def stop(self) -> Ended:
        """See `Program`."""
        return self.life()

    @property
    def pid(self) -> int:
        """See `Program`."""
        return self.peer.pid

    def life(self) -> Ended:
        """See `Program`."""
        if not self.pid:
            return Ended(Life.UNKNOWN)
        return Ended(Life.ALIVE if runs(self.pid) else Life.GONE)

    @property
    def written(self) -> int:
        """See `Program`."""
        return 0

    def output(self, since: int = 0) -> str:
        """See `Program`."""
        return ""

    def close(self) -> None:
        """See `Program`."""


class Started:
    """A program that is started here, with `{socket}` in its command; it listens there."""

    can_restart = True

    def __init__(self, command: list[str], patience: float, clock: Clock) -> None:
        self.clock = clock
        self.peer = _NOBODY
        self.environment: dict[str, str] = {}
        self.starting = 0.0
        self._command = command
        self._patience = patience
        self._folder = _folder()
        self._socket = self._folder / "socket"
        self._log = self._folder / "output"
        self._log.touch()
        self._process: subprocess.Popen[bytes] | None = None
        self._first: socket.socket | None = None

    @property
    def pid(self) -> int:
        """See `Program`."""
        if self.peer.pid not in (0, os.getpid()):
            return self.peer.pid
        return self._process.pid if self._process is not None else 0

    def start(self) -> None:
        """See `Program`."""
        if self._process is not None and self._process.poll() is None:
            return
        self.stop()
        began = time.monotonic()
        self._spawn()
        try:
            self._meet(time.monotonic() + self._patience)
        except OSError:
            raise ProgramError(self._why_not()) from None
        finally:
            self.starting += time.monotonic() - began

    def connect(self, deadline: float) -> socket.socket:
        """See `Program`."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return _dial(str(self._socket), deadline, self.clock, self._is_gone)

    def stop(self) -> Ended:
        """See `Program`."""
        if self._first is not None:
            self._first.close()
            self._first = None
        ended = self.life()
        if self._process is not None:
            end_group(self._process, gently=ended.life is Life.ALIVE)
            self._process = None
        with suppress(FileNotFoundError):
            self._socket.unlink()
        return ended

    def life(self) -> Ended:
        """See `Program`."""
        if self._process is None:
            return Ended(Life.UNKNOWN)
        status = self._process.poll()
        if status is None:
            return Ended(Life.ALIVE)
        # A shell in between says 128 and the signal.
        if status < 0 or status > 128:
            return Ended(Life.KILLED, -status if status < 0 else status - 128)
        return Ended(Life.EXITED, status)

    @property
    def written(self) -> int:
        """See `Program`."""
        return self._log.stat().st_size

    def output(self, since: int = 0) -> str:
        """See `Program`."""
        with self._log.open("rb") as log:
            # A program can open its own output again, and empty it.
            log.seek(since if since <= self.written else 0)
            return log.read().decode(errors="replace")

    def close(self) -> None:
        """See `Program`."""
        self.stop()
        end_strays(str(self._folder))
        shutil.rmtree(self._folder, ignore_errors=True)

    def _spawn(self) -> None:
        command, fds = self._filled_in()
        try:
            # All that it starts writes here, too, and so does the program when it is started again.
            with self._log.open("ab") as output:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=fds,
                    env=marked(str(self._folder)) | self.environment,
                )
        except OSError as error:
            raise ProgramError(f"{command[0]}: cannot be started: {error.strerror}") from None

    def _filled_in(self) -> tuple[list[str], tuple[int, ...]]:
        return [word.replace("{socket}", str(self._socket)) for word in self._command], ()

    def _meet(self, deadline: float) -> None:
        self._first = self._reach(deadline)
        self.peer = peer_of(self._first)

    def _reach(self, deadline: float) -> socket.socket:
        return _dial(str(self._socket), deadline, None, self._is_gone)

    def _is_gone(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _why_not(self) -> str:
        ended = self.life()
        words = " ".join(last_lines(self.output(), 3)) or "it wrote nothing"
        name = shlex.join(self._command)
        if ended.life is Life.ALIVE:
            return f"{name}: no connection within {self._patience:g} s; its last words: {words}"
        what = signal_name(ended.number) if ended.life is Life.KILLED else f"status {ended.number}"
        return f"{name}: it ended with {what} before it could be reached; its last words: {words}"


class Dialling(Started):
    """A program that is started here, and connects to `{socket}`, where we listen."""

    def __init__(self, command: list[str], patience: float, clock: Clock) -> None:
        super().__init__(command, patience, clock)
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(self._socket))
        self._listening.listen(8)

    def connect(self, deadline: float) -> socket.socket:
        """See `Program`."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return self._reach(deadline)

    def stop(self) -> Ended:
        """See `Program`."""
        path = self._socket
        self._socket = self._folder / "nothing"
        try:
            return super().stop()
        finally:
            self._socket = path

    def close(self) -> None:
        """See `Program`."""
        super().close()
        self._listening.close()

    def _spawn(self) -> None:
        # Of one that has ended, connections may wait here that it made last.
        self._listening.settimeout(0)
        with suppress(BlockingIOError):
            while True:
                self._listening.accept()[0].close()
        super()._spawn()

    def _reach(self, deadline: float) -> socket.socket:
        while (left := deadline - time.monotonic()) > 0 and not self._is_gone():
            self._listening.settimeout(min(left, 0.05))
            with suppress(TimeoutError):
                return self._listening.accept()[0]
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))


class Listening(Started):
    """A front-end that is started here, and listens at `{socket}`.

    Anybody can connect to a socket at which nobody accepts: it has accepted a connection when it says the first word.
    """

    def connect(self, deadline: float) -> socket.socket:
        """See `Program`."""
        if self._first is None:
            self._first = _dial(str(self._socket), deadline, self.clock, self._is_gone)
        if not self.clock.poll([self._first.fileno()], deadline):
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        first, self._first = self._first, None
        try:
            if first.recv(1, socket.MSG_PEEK):
                return first
        except OSError:
            first.close()
            raise
        first.close()
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))


class Handed(Started):
    """A program that is started here with a connected socket, `{fd}`; it serves this one connection."""

    def _filled_in(self) -> tuple[list[str], tuple[int, ...]]:
        ours, theirs = socket.socketpair()
        self._first, self._theirs = ours, theirs
        fd = theirs.fileno()
        return [word.replace("{fd}", str(fd)) for word in self._command], (fd,)

    def _reach(self, deadline: float) -> socket.socket:
        self._theirs.close()
        assert self._first is not None
        return self._first

    def connect(self, deadline: float) -> socket.socket:
        """See `Program`."""
        if self._first is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "it was handed one connection only")
        first, self._first = self._first, None
        return first


def _folder() -> Path:
    """A temporary folder where a socket can be; `ProgramError`."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="vudissect-check-"))
    except OSError as error:
        raise ProgramError(f"there is no temporary folder, set TMPDIR: {error.strerror}") from None
    if len(os.fsencode(folder / "socket")) > _LONGEST_PATH:
        folder.rmdir()
        raise ProgramError(f"{folder}: too long for the path of a socket; set TMPDIR to a shorter folder")
    return folder


def last_lines(output: str, count: int = _LAST_LINES) -> tuple[str, ...]:
    """The end of what a program wrote."""
    lines = [line[:_LONGEST_LINE] for line in output.splitlines() if line.strip()]
    return tuple(lines[-count:])


def _dial(
    path: str, deadline: float, clock: Clock | None, is_gone: Callable[[], bool] = lambda: False
) -> socket.socket:
    """Connect, again and again while nobody listens; `OSError` when it is too late, or nobody ever will."""
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(path)
            return sock
        except OSError as error:
            sock.close()
            if error.errno not in _ABSENT or is_gone() or time.monotonic() >= deadline:
                raise
        if clock is not None:
            clock.sleep(_RETRY)
        else:
            time.sleep(_RETRY)
