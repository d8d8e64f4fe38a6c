"""A peer that is a program: started on a socket of its own, ended whatever happens, its output kept."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_GRACE = 3.0


class ProgramError(RuntimeError):
    """A program that cannot be started; one line."""


class Program:
    """Runs `command` for the length of a block, with `{socket}` in its words replaced by `socket`.

    It is in a process group of its own, which is ended as a whole: with SIGTERM, and what is left with SIGKILL.
    """

    def __init__(self, command: Sequence[str], socket: str, folder: Path | None = None) -> None:
        self.command = [word.replace("{socket}", socket) for word in command]
        self._folder = folder
        # A file and not a pipe, which would stop a program that says much to somebody who does not listen.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._process = subprocess.Popen(
                self.command,
                cwd=self._folder,
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
        assert self._process is not None
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + _GRACE
        while self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        # Children may have outlived it.
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._log.close()

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll() if self._process is not None else None

    @property
    def output(self) -> str:
        """What it has written to standard output and standard error so far."""
        return os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size, 0).decode(errors="replace")

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
