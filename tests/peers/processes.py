"""Programs that run for the length of a block, with their output in a file. They are always ended, by pid.

Independent of the protocol and of the programs.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.peers.journal import note_command, note_sent

_TIMEOUT = 30.0
_EXIT_TIMEOUT = 3.0
_POLL_INTERVAL = 0.02


class PeerError(AssertionError):
    """A program is missing, has unexpected output, or did not exit as it should."""


def program(name: str, package: str) -> str:
    """The path of a program; `PeerError` names its Debian package."""
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
        """Whether it is still running."""
        return self._popen.poll() is None

    def output(self) -> str:
        """Its standard output and standard error so far."""
        return self._log.read_text(errors="replace")

    def say(self, line: str) -> None:
        """Write a line to its standard input."""
        note_sent(self._log.parent, self.name, line)
        assert self._popen.stdin is not None
        self._popen.stdin.write(line.encode() + b"\n")
        self._popen.stdin.flush()

    def expect(self, pattern: str, timeout: float = _TIMEOUT, start: int = 0) -> re.Match[str]:
        """Wait until `pattern` appears in the output after its first `start` characters."""
        compiled = re.compile(pattern)
        deadline = time.monotonic() + timeout
        while True:
            alive = self.alive()
            if (match := compiled.search(self.output(), start)) is not None:
                return match
            if not alive or time.monotonic() > deadline:
                why = f"within {timeout:.0f} s" if alive else f"before it exited ({self._popen.returncode})"
                raise PeerError(f"{self.name} did not print {pattern!r} {why}; its output:\n{self.output()}")
            time.sleep(_POLL_INTERVAL)

    def finish(self, timeout: float = _TIMEOUT) -> None:
        """Wait until it exits by itself, with status 0."""
        try:
            status = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise PeerError(f"{self.name} still runs after {timeout:.0f} s; its output:\n{self.output()}") from None
        if status != 0:
            raise PeerError(f"{self.name} exited with status {status}; its output:\n{self.output()}")

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._popen.terminate()

    def kill(self) -> None:
        """Send SIGKILL, and wait until it is gone."""
        note_sent(self._log.parent, self.name, "SIGKILL")
        self.killed = True
        self._kill_all()
        self._popen.wait()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """It does not run for the length of the block, and then goes on."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        note_sent(self._log.parent, self.name, number.name)
        self._popen.send_signal(number)

    def end(self) -> None:
        """End it with SIGTERM, then SIGKILL: QEMU ignores SIGTERM while it waits for a reply."""
        if self._popen.stdin is not None:
            self._popen.stdin.close()
        if self.alive():
            self.terminate()
            try:
                self._popen.wait(_EXIT_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
        self._kill_all()

    def _kill_all(self) -> None:
        """Kill it and what it has started: User-Mode Linux has a process for each of the guest's, which outlive it."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


@contextmanager
def running(name: str, command: list[str], folder: Path, *, within: Sequence[str] = ()) -> Iterator[Process]:
    """Run `command` in `folder` for the length of the block, with its output in `folder/NAME.log`.

    `within` is a command that executes its arguments.
    """
    log = folder / f"{name}.log"
    note_command(folder, name, command)
    with log.open("wb") as output:
        # In a new session, so that Ctrl-C at the terminal reaches only the test, which ends the program.
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


def wait_for_listener(address: str, process: Process, timeout: float = _TIMEOUT) -> None:
    """Wait until `process` listens at `address`, without connecting: peers count connections."""
    deadline = time.monotonic() + timeout
    while not _listens(process.pid, address):
        if not process.alive() or time.monotonic() > deadline:
            raise PeerError(f"{process.name} does not listen at {address}; its output:\n{process.output()}")
        time.sleep(_POLL_INTERVAL)


def _listens(pid: int, address: str) -> bool:
    """Whether the kernel lists a listening socket (__SO_ACCEPTCON) at `address` that is open in process `pid`.

    The address is compared as it was bound, so a relative one is not unique without the process.
    """
    inodes = set()
    try:
        # The process may be in another network namespace.
        sockets = Path(f"/proc/{pid}/net/unix").read_text()
    except OSError:  # it has exited
        return False
    for line in sockets.splitlines()[1:]:
        _slot, _references, _protocol, flags, _type, _state, inode, *path = line.split(maxsplit=7)
        if path == [address] and int(flags, 16) & 0x10000:
            inodes.add(f"socket:[{inode}]")
    return bool(inodes) and not inodes.isdisjoint(_open_files(pid))


def _open_files(pid: int) -> Iterator[str]:
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(FileNotFoundError):  # closed meanwhile, or the process has exited
            yield os.readlink(link)
