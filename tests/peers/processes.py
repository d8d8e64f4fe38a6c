"""Programs that run while a block does: output in a file, ended by pid whatever happens.

No protocol here, and nothing about what the programs are.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.peers.journal import note_command, note_told

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
        self.killed = False  # by `kill`

    @property
    def pid(self) -> int:
        return self._popen.pid

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._popen.poll() is None

    def output(self) -> str:
        """What it has written to standard output and standard error so far."""
        return self._log.read_text(errors="replace")

    def say(self, line: str) -> None:
        """Write a line to its standard input."""
        note_told(self._log.parent, self.name, line)
        assert self._popen.stdin is not None
        self._popen.stdin.write(line.encode() + b"\n")
        self._popen.stdin.flush()

    def expect(self, pattern: str, patience: float = _PATIENCE, start: int = 0) -> re.Match[str]:
        """Wait until `pattern` appears in the output from character `start` on."""
        compiled = re.compile(pattern)
        deadline = time.monotonic() + patience
        while True:
            alive = self.alive()
            if (match := compiled.search(self.output(), start)) is not None:
                return match
            if not alive or time.monotonic() > deadline:
                why = f"within {patience:.0f} s" if alive else f"before it ended ({self._popen.returncode})"
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

    def terminate(self) -> None:
        """Ask it to end, with SIGTERM."""
        self._popen.terminate()

    def kill(self) -> None:
        """End it at once, with SIGKILL, and wait until it is gone."""
        note_told(self._log.parent, self.name, "SIGKILL")
        self.killed = True
        self._popen.kill()
        self._popen.wait()

    def end(self) -> None:
        """End it, gently first: a QEMU that waits for an answer does not hear SIGTERM."""
        if self._popen.stdin is not None:
            self._popen.stdin.close()
        if self.alive():
            self.terminate()
            try:
                self._popen.wait(_GRACE)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()


@contextmanager
def running(name: str, command: list[str], folder: Path, *, within: Sequence[str] = ()) -> Iterator[Process]:
    """Run `command` in `folder` for the length of the block, its output in `folder/NAME.log`.

    `within` is a command that becomes the one that it gets as arguments.
    """
    log = folder / f"{name}.log"
    note_command(folder, name, command)
    with log.open("wb") as output:
        # A session of its own: a Ctrl-C at the terminal reaches the test, and the test ends the program.
        popen = subprocess.Popen(
            [*within, *command],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    process = Process(name, popen, log)
    try:
        yield process
    finally:
        process.end()


def wait_for_listener(address: str, process: Process, patience: float = _PATIENCE) -> None:
    """Wait until `process` listens at `address`, without connecting: peers count connections."""
    deadline = time.monotonic() + patience
    while not _listens(process.pid, address):
        if not process.alive() or time.monotonic() > deadline:
            raise PeerError(f"{process.name} does not listen at {address}; it said:\n{process.output()}")
        time.sleep(_POLL)


def _listens(pid: int, address: str) -> bool:
    """Whether the kernel lists a listening socket (__SO_ACCEPTCON) at `address` that is open in process `pid`.

    The address is the one that was bound, so a relative one tells nothing without the process.
    """
    inodes = set()
    try:
        # Its own: it may be in another network namespace.
        sockets = Path(f"/proc/{pid}/net/unix").read_text()
    except OSError:  # it has ended
        return False
    for line in sockets.splitlines()[1:]:
        _slot, _references, _protocol, flags, _type, _state, inode, *path = line.split(maxsplit=7)
        if path == [address] and int(flags, 16) & 0x10000:
            inodes.add(f"socket:[{inode}]")
    return bool(inodes) and not inodes.isdisjoint(_open_files(pid))


def _open_files(pid: int) -> Iterator[str]:
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(FileNotFoundError):  # closed meanwhile, or the process has ended
            yield os.readlink(link)
