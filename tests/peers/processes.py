"""Programs that run while a block does: output in a file, ended by pid whatever happens.

No protocol here, and nothing about what the programs are.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATIENCE = 30.0
_GRACE = 3.0
_POLL = 0.02


class PeerError(AssertionError):
    """A program is missing, said something else, or did not end as it should."""


def program(name: str, package: str) -> str:
    """Path of a program; `PeerError` names the Debian package that brings it."""
    path = shutil.which(name)
    if path is None:
        raise PeerError(f"{name} is not installed; on Debian: apt install {package}")
    return path


class Process:
    """A running program. `name` appears in every message about it."""

    def __init__(self, name: str, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self._popen = popen
        self._log = log

    @property
    def pid(self) -> int:
        return self._popen.pid

    def output(self) -> str:
        """What it has written to standard output and standard error so far."""
        return self._log.read_text(errors="replace")

    def say(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._popen.stdin is not None
        self._popen.stdin.write(line.encode() + b"\n")
        self._popen.stdin.flush()

    def expect(self, pattern: str, patience: float = _PATIENCE, start: int = 0) -> re.Match[str]:
        """Wait until `pattern` appears in the output from character `start` on."""
        compiled = re.compile(pattern)
        deadline = time.monotonic() + patience
        while True:
            running = self._popen.poll() is None
            if (match := compiled.search(self.output(), start)) is not None:
                return match
            if not running or time.monotonic() > deadline:
                why = f"within {patience:.0f} s" if running else f"before it ended ({self._popen.returncode})"
                raise PeerError(f"{self.name} did not say {pattern!r} {why}; it said:\n{self.output()}")
            time.sleep(_POLL)

    def finish(self, patience: float = _PATIENCE) -> None:
        """Wait until it ends by itself, with status 0."""
        try:
            status = self._popen.wait(patience)
        except subprocess.TimeoutExpired:
            raise PeerError(f"{self.name} still runs after {patience:.0f} s; it said:\n{self.output()}") from None
        if status != 0:
            raise PeerError(f"{self.name} ended with status {status}; it said:\n{self.output()}")

    def stop(self) -> None:
        """Ask it to end with SIGTERM and wait for status 0."""
        self._popen.send_signal(signal.SIGTERM)
        self.finish()

    def end(self) -> None:
        """End it, gently first: a QEMU that waits for an answer does not hear SIGTERM."""
        if self._popen.stdin is not None:
            self._popen.stdin.close()
        if self._popen.poll() is None:
            self._popen.terminate()
            try:
                self._popen.wait(_GRACE)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()


@contextmanager
def running(name: str, command: list[str], folder: Path) -> Iterator[Process]:
    """Run `command` in `folder` for the length of the block, its output in `folder/NAME.log`."""
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        # A session of its own: a Ctrl-C at the terminal reaches the test, and the test ends the program.
        popen = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    process = Process(name, popen, log)
    try:
        yield process
    finally:
        process.end()


def wait_for_listener(path: Path, owner: Process, patience: float = _PATIENCE) -> None:
    """Wait until somebody listens at `path`, without connecting: peers count connections."""
    deadline = time.monotonic() + patience
    while not _listening(path):
        if time.monotonic() > deadline:
            raise PeerError(f"{owner.name} does not listen at {path}; it said:\n{owner.output()}")
        time.sleep(_POLL)


def _listening(path: Path) -> bool:
    """Whether the kernel lists a listening socket at `path` (flag __SO_ACCEPTCON of /proc/net/unix)."""
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        columns = line.split(maxsplit=7)
        if len(columns) == 8 and columns[7] == os.fspath(path):
            return bool(int(columns[3], 16) & 0x10000)
    return False
