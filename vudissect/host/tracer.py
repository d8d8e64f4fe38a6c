"""strace on running processes: whether it may, what it costs, and its lines as they come.

strace lets the processes go on when it ends, however that happens. It is sent SIGTERM when this process ends, even if
that is killed.
"""

import ctypes
import os
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_OPTIONS: Final = ("-f", "-yy", "-xx", "-s", "4096", "-ttt")
_CHUNK: Final = 1 << 16
_LONGEST_LINE: Final = 1 << 20
_ATTACHED: Final = re.compile(r"Process \d+ attached")
_DETACH_SECONDS: Final = 3.0
_SETTLE_SECONDS: Final = 5.0
# So many small reads and writes, to measure what tracing costs.
_BLOCKS: Final = 1500
_MEASURE_SECONDS: Final = 5


class TracerError(Exception):
    """Processes that cannot be traced; the text says why and what helps."""


def check(pids: Sequence[int]) -> None:
    """Raise a `TracerError` if it is known beforehand that processes cannot be traced."""
    if shutil.which("strace") is None:
        raise TracerError("strace is not installed: install the package strace, or use vuproxy run for the next start")
    for pid in pids:
        status = _status(pid)
        if not status:
            raise TracerError(f"there is no process {pid}: name one that runs (pgrep -a qemu)")
        tracer = status.get("TracerPid", "0")
        if tracer != "0":
            raise TracerError(f"process {pid} is being traced by process {tracer}: end that first")
        if not _has_sockets(pid):
            raise TracerError(f"process {pid} ({status.get('Name', '?')}) has no Unix sockets, so no vhost-user either")


def cost() -> int | None:
    """How much longer (ns) a system call takes under strace, measured now with another program; None if unknown."""
    block = shutil.which("dd")
    if block is None:
        return None
    command = [block, "if=/dev/zero", "of=/dev/null", "bs=1", f"count={_BLOCKS}", "status=none"]
    strace = ["strace", *_OPTIONS, "-e", "trace=read,write", "-o", "/dev/null"]
    try:
        plain, traced = (_seconds(each) for each in (command, [*strace, *command]))
    except (OSError, subprocess.SubprocessError):
        return None
    return max(0, round((traced - plain) * 1e9 / (2 * _BLOCKS)))


def _seconds(command: Sequence[str]) -> float:
    start = time.monotonic()
    subprocess.run(command, check=True, timeout=_MEASURE_SECONDS, capture_output=True)
    return time.monotonic() - start


class Tracer:
    """strace on some processes, from when it has attached. `TracerError` if it cannot."""

    def __init__(self, pids: Sequence[int], calls: Sequence[str]) -> None:
        self._lines, lines = os.pipe()
        self._notes, notes = os.pipe()
        # A call that this architecture lacks is no error.
        wanted = ",".join(f"?{name}" for name in calls)
        targets = [word for pid in pids for word in ("-p", str(pid))]
        self._process = subprocess.Popen(
            ["strace", *_OPTIONS, "-e", f"trace={wanted}", "-o", f"/dev/fd/{lines}", *targets],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=notes,
            pass_fds=(lines,),
            # Ctrl-C is for this process, which ends strace.
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        os.close(notes)
        self._writer = lines
        self._rest = b""
        try:
            self._wait_until_attached(pids)
        except BaseException:
            self.stop()
            raise
        finally:
            os.close(lines)

    def lines(self, seconds: float) -> Iterator[str] | None:
        """The lines that have come, after waiting for them; None when strace has ended and all were read."""
        ready, _, _ = select.select([self._lines, *self._open_notes()], [], [], seconds)
        if self._notes in ready and not os.read(self._notes, _CHUNK):
            self._close_notes()
        if self._lines not in ready:
            return iter(())
        data = os.read(self._lines, _CHUNK)
        if not data:
            return None
        *whole, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[:_LONGEST_LINE]
        return (line.decode(errors="replace") for line in whole)

    def stop(self) -> None:
        """Let the processes go; what strace has seen so far can still be read."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """End strace if it still runs, and wait for it."""
        self.stop()
        try:
            self._process.wait(_DETACH_SECONDS)
        except subprocess.TimeoutExpired:
            # The kernel lets the traced processes go on.
            self._process.kill()
            self._process.wait()
        with suppress(OSError):
            os.close(self._lines)
        self._close_notes()

    def _open_notes(self) -> list[int]:
        return [self._notes] if self._notes >= 0 else []

    def _close_notes(self) -> None:
        if self._notes >= 0:
            os.close(self._notes)
            self._notes = -1

    def _wait_until_attached(self, pids: Sequence[int]) -> None:
        deadline = time.monotonic() + _SETTLE_SECONDS
        said = ""
        while len(_ATTACHED.findall(said)) < len(pids):
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._notes], [], [], max(0.0, left))
            data = os.read(self._notes, _CHUNK) if ready else b""
            said += data.decode(errors="replace")
            if not data or "ptrace(" in said:
                raise TracerError(_why_not(said, pids))


def _why_not(said: str, pids: Sequence[int]) -> str:
    named = " and ".join(map(str, pids))
    if "Operation not permitted" not in said:
        reason = said.strip().rpartition("\n")[2] or "it does not attach"
        return f"strace cannot trace process {named}: {reason}"
    remedy = "in a container, start it with the capability SYS_PTRACE"
    if os.geteuid():
        remedy = f"run this as root, or {remedy}"
    scope = _read("/proc/sys/kernel/yama/ptrace_scope").strip()
    if scope not in ("", "0"):
        remedy += f"; here kernel.yama.ptrace_scope is {scope}"
    return f"process {named} may not be traced: {remedy}"


def _has_sockets(pid: int) -> bool:
    """Whether a process has Unix sockets; True if that is unknown."""
    try:
        unix = {line.split()[6] for line in _read(f"/proc/{pid}/net/unix").splitlines()[1:]}
        links = [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
    except (OSError, IndexError):
        return True
    sockets = {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}
    return bool(sockets & unix)


def _status(pid: int) -> dict[str, str]:
    lines = _read(f"/proc/{pid}/status").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
