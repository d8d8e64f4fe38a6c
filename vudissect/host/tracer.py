"""strace on running processes: whether it may, what it costs, and its lines as they come.

strace lets the processes go on when it ends, however that happens. It is sent SIGTERM when this process ends, even if
that is killed. It writes into a file without a name, so the processes never wait for a reader that is slow or stopped;
what was read is given back to the file system.
"""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PUNCH_HOLE: Final = 0x1 | 0x2  # and keep the size
_FREED_AT_ONCE: Final = 1 << 20
_TICK_SECONDS: Final = 0.02
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
        if _has_ended(status):
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
    """strace on some processes, from when it has attached. `TracerError` if it cannot, `OSError` without room."""

    def __init__(self, pids: Sequence[int], calls: Sequence[str]) -> None:
        self._log = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - as long as this
        self._notes = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - as long as this
        self._place = self._freed = 0
        self._rest = b""
        # A call that this architecture lacks is no error.
        wanted = ",".join(f"?{name}" for name in calls)
        targets = [word for pid in pids for word in ("-p", str(pid))]
        log = self._log.fileno()
        self._process = subprocess.Popen(
            ["strace", *_OPTIONS, "-e", f"trace={wanted}", "-o", f"/dev/fd/{log}", *targets],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._notes,
            pass_fds=(log,),
            # Ctrl-C is for this process, which ends strace.
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        try:
            self._wait_until_attached(pids)
        except BaseException:
            self.close()
            raise

    def lines(self) -> Iterator[str] | None:
        """The lines that have come, after waiting a moment if there are none; None when strace has ended."""
        has_ended = self._process.poll() is not None
        data = os.pread(self._log.fileno(), _CHUNK, self._place)
        if not data:
            if has_ended:
                return None
            time.sleep(_TICK_SECONDS)
            return iter(())
        self._place += len(data)
        if self._place - self._freed >= _FREED_AT_ONCE:
            self._free()
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
        self._log.close()
        self._notes.close()

    def _free(self) -> None:
        """Give what was read back to the file system, which may not be able to take it."""
        length = self._place - self._freed
        ctypes.CDLL(None).fallocate(
            self._log.fileno(), _PUNCH_HOLE, ctypes.c_int64(self._freed), ctypes.c_int64(length)
        )
        self._freed = self._place

    def _wait_until_attached(self, pids: Sequence[int]) -> None:
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            has_ended = self._process.poll() is not None
            said = os.pread(self._notes.fileno(), _CHUNK, 0).decode(errors="replace")
            if len(_ATTACHED.findall(said)) >= len(pids):
                return
            if has_ended or "ptrace(" in said or time.monotonic() > deadline:
                raise TracerError(_why_not(said, pids))
            time.sleep(_TICK_SECONDS)


def _why_not(said: str, pids: Sequence[int]) -> str:
    named = " and ".join(map(str, pids))
    for pid in pids:
        if _has_ended(_status(pid)):
            return f"process {pid} has just ended"
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


def _has_ended(status: Mapping[str, str]) -> bool:
    """Whether a process is gone, or only waits for its parent to notice."""
    return status.get("State", "X")[:1] in ("X", "Z")


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
