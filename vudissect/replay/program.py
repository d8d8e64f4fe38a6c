"""A peer that is a program: started on its own socket, ended in any case, its output kept."""

import os
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_GRACE = 3.0
_LOOK_EVERY = 0.01

# How much of a program's output is read (bytes).
_MOST_OUTPUT = 16 << 20

# Marks a program and everything it starts, in their environment.
_MARK = "VUDISSECT_PROGRAM"


class ProgramError(RuntimeError):
    """A program that cannot be started; one line."""


class Program:
    """Runs `command` for the duration of a block, with `{socket}` in its words replaced by `socket`.

    It has its own process group, which is ended as a whole: with SIGTERM, then with SIGKILL. So are
    processes that it started and that have left the group, as daemons do.
    """

    def __init__(self, command: Sequence[str], socket: str, folder: Path | None = None) -> None:
        self.command = [word.replace("{socket}", socket) for word in command]
        self._folder = folder
        self._mark = uuid.uuid4().hex
        # A file, not a pipe: a full pipe that nobody reads would stop the program.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False

    def __enter__(self) -> Self:
        try:
            self._process = subprocess.Popen(
                self.command,
                cwd=self._folder,
                env=os.environ | {_MARK: self._mark},
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            self._log.close()
            raise ProgramError(f"{self.command[0]}: cannot be started: {error.strerror}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        self._log.close()

    def end(self) -> None:
        """End it before the block does; status and output are final then."""
        assert self._process is not None
        if self._ended:
            return
        self._ended = True
        self._signal(signal.SIGTERM)
        self.wait(time.monotonic() + _GRACE)
        # Children may have outlived it.
        self._signal(signal.SIGKILL)
        self._process.wait()
        deadline = time.monotonic() + _GRACE
        while (strays := list(_marked(f"{_MARK}={self._mark}".encode()))) and time.monotonic() < deadline:
            for pid in strays:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(_LOOK_EVERY)

    def wait(self, deadline: float) -> None:
        """Wait until it has ended, or until a time on the monotonic clock."""
        while self.status is None and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY)

    @property
    def status(self) -> int | None:
        """Its exit status, or the negative number of the signal that killed it; None while it runs."""
        return self._process.poll() if self._process is not None else None

    @property
    def output(self) -> str:
        """Its output on standard output and standard error so far; only the end of very long output."""
        size = os.fstat(self._log.fileno()).st_size
        start = max(0, size - _MOST_OUTPUT)
        return os.pread(self._log.fileno(), size - start, start).decode(errors="replace")

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def _marked(mark: bytes) -> Iterator[int]:
    """The processes that were started with `mark` in their environment; those that have ended have none."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # another user's, or gone in the meantime
            if mark in (process / "environ").read_bytes().split(b"\0"):
                yield int(process.name)
