"""strace or bpftrace on running processes: which of them may, what it costs, and its lines as they come.

Both let the processes go on when they end, however that happens. They are sent SIGTERM when this process ends, even if
that is killed. The tracer writes into a file without a name, so the processes never wait for a reader that is slow or
stopped; what was read is given back to the file system.
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
from enum import Enum
from pathlib import Path
from typing import Final

from vudissect.host.kernel_trace import ENVIRONMENT, program


class Way(Enum):
    """The program that traces."""

    STRACE = "strace"
    BPFTRACE = "bpftrace"


_PR_SET_PDEATHSIG: Final = 1
_PUNCH_HOLE: Final = 0x1 | 0x2  # and keep the size
_FREED_AT_ONCE: Final = 1 << 20
_TICK_SECONDS: Final = 0.02
_OPTIONS: Final = ("-f", "-yy", "-xx", "-s", "4096", "-ttt")
_CHUNK: Final = 1 << 16
_LONGEST_LINE: Final = 1 << 20
_ATTACHED: Final = re.compile(r"Process \d+ attached")
_TICK: Final = re.compile(rb"\nT (\d{1,19})\n")
# After so long (ns) on the clock of its ticks, bpftrace has printed what came before.
_DRAIN: Final = 150_000_000
_DRAIN_AT_MOST: Final = 5_000_000_000
_DETACH_SECONDS: Final = {Way.STRACE: 3.0, Way.BPFTRACE: 10.0}
# bpftrace compiles a program, which takes seconds of processor time.
_SETTLE_SECONDS: Final = {Way.STRACE: 5.0, Way.BPFTRACE: 60.0}
_YAMA: Final = "/proc/sys/kernel/yama/ptrace_scope"
_NOBODY: Final = "3"
_BTF: Final = "/sys/kernel/btf/vmlinux"
_TRACEFS: Final = "/sys/kernel/tracing"
_SYSTEM_CALLS: Final = f"{_TRACEFS}/events/syscalls"
# PROC_PID_INIT_INO of the kernel.
_FIRST_PID_NAMESPACE: Final = 0xEFFFFFFC
# So many small reads and writes, to measure what tracing costs.
_BLOCKS: Final = 1500
_MEASURE_SECONDS: Final = 5


class TracerError(Exception):
    """Processes that cannot be traced; the text says why and what helps."""


def choose(pids: Sequence[int], wanted: Way | None = None) -> tuple[Way, str]:
    """The way to trace processes, strace where it may, and why it is not strace.

    `TracerError` if it is known beforehand that they cannot be traced.
    """
    refusal, remedy = _strace_refuses(pids)
    missing = _bpftrace_needs() if wanted is Way.BPFTRACE or refusal else ""
    if wanted is Way.STRACE and refusal:
        raise TracerError(f"{refusal}: {remedy}")
    if missing:
        raise TracerError(missing if wanted is Way.BPFTRACE else f"{refusal}: {remedy} ({missing})")
    for pid in pids:
        status = _status(pid)
        if _has_ended(status):
            raise TracerError(f"there is no process {pid}: name one that runs (pgrep -a qemu)")
        if not _has_sockets(pid):
            raise TracerError(f"process {pid} ({status.get('Name', '?')}) has no Unix sockets, so no vhost-user either")
    if wanted is Way.BPFTRACE or refusal:
        return Way.BPFTRACE, refusal
    return Way.STRACE, ""


def _strace_refuses(pids: Sequence[int]) -> tuple[str, str]:
    """Why strace cannot trace processes, if that is known beforehand, and the remedy."""
    if shutil.which("strace") is None:
        return "strace is not installed", "install the package strace, or use vuproxy run for the next start"
    for pid in pids:
        tracer = _status(pid).get("TracerPid", "0")
        if tracer != "0":
            return f"process {pid} is being traced by process {tracer}", "end that first"
    if _read(_YAMA).strip() == _NOBODY:
        return f"kernel.yama.ptrace_scope is {_NOBODY}", "it can only be changed by a restart of the host"
    return "", ""


def _bpftrace_needs() -> str:
    """What bpftrace lacks here, with the remedy; empty for nothing."""
    if shutil.which("bpftrace") is None:
        return "bpftrace is not installed: install the package bpftrace"
    if os.geteuid():
        return "bpftrace needs root: run this as root"
    if not os.path.exists(_BTF):
        return f"bpftrace needs the types of the kernel: use one that has {_BTF}"
    if os.stat("/proc/self/ns/pid").st_ino != _FIRST_PID_NAMESPACE:
        return "bpftrace needs the process ids of the host: run this outside of containers"
    if not os.path.exists(_SYSTEM_CALLS):
        subprocess.run(["mount", "-t", "tracefs", "tracefs", _TRACEFS], check=False, capture_output=True)
    if not os.path.exists(_SYSTEM_CALLS):
        return f"bpftrace needs the tracepoints of system calls: mount -t tracefs tracefs {_TRACEFS}"
    return ""


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
    """A tracer on some processes, from when it has attached. `TracerError` if it cannot, `OSError` without room."""

    def __init__(self, pids: Sequence[int], calls: Sequence[str], way: Way = Way.STRACE) -> None:
        self._pids = pids
        self._way = way
        self._stopped: int | None = None
        self._log = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - as long as this
        self._notes = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - as long as this
        self._place = self._freed = 0
        self._rest = b""
        log = self._log.fileno()
        command = _strace(pids, calls, log) if way is Way.STRACE else ["bpftrace", "-B", "line", "-e", program(pids)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=self._notes,
            env={**os.environ, **ENVIRONMENT},
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
        """The lines that have come, after waiting a moment if there are none; None when the tracer has ended."""
        has_ended = self._process.poll() is not None
        if self._way is Way.BPFTRACE and not has_ended and all(_has_ended(_status(pid)) for pid in self._pids):
            self.stop()
        data = os.pread(self._log.fileno(), _CHUNK, self._place)
        if not data:
            if has_ended:
                return None
            self._drained(b"")
            time.sleep(_TICK_SECONDS)
            return iter(())
        self._place += len(data)
        self._drained(data)
        if self._place - self._freed >= _FREED_AT_ONCE:
            self._free()
        *whole, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[:_LONGEST_LINE]
        return (line.decode(errors="replace") for line in whole)

    def stop(self) -> None:
        """Let the processes go; what was seen so far can still be read."""
        if self._way is Way.STRACE:
            self._end()
        elif self._stopped is None:
            self._stopped = time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def close(self) -> None:
        """End the tracer if it still runs, and wait for it."""
        self._end()
        try:
            self._process.wait(_DETACH_SECONDS[self._way])
        except subprocess.TimeoutExpired:
            # The kernel lets the traced processes go on.
            self._process.kill()
            self._process.wait()
        self._log.close()
        self._notes.close()

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def _drained(self, data: bytes) -> None:
        """End bpftrace when it has printed what happened before it was stopped: it prints nothing more when it ends."""
        if self._stopped is not None:
            ticks = [int(each) for each in _TICK.findall(data)]
            waited = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - self._stopped
            if max(ticks, default=0) > self._stopped + _DRAIN or waited > _DRAIN_AT_MOST:
                self._end()

    def _free(self) -> None:
        """Give what was read back to the file system, which may not be able to take it."""
        length = self._place - self._freed
        ctypes.CDLL(None).fallocate(
            self._log.fileno(), _PUNCH_HOLE, ctypes.c_int64(self._freed), ctypes.c_int64(length)
        )
        self._freed = self._place

    def _wait_until_attached(self, pids: Sequence[int]) -> None:
        deadline = time.monotonic() + _SETTLE_SECONDS[self._way]
        while not self._has_attached(said := os.pread(self._notes.fileno(), _CHUNK, 0).decode(errors="replace")):
            if self._process.poll() is not None or "ptrace(" in said or time.monotonic() > deadline:
                raise TracerError(_why_not(said, pids, self._way))
            time.sleep(_TICK_SECONDS)

    def _has_attached(self, said: str) -> bool:
        if self._way is Way.STRACE:
            return len(_ATTACHED.findall(said)) >= len(self._pids)
        # The tick is attached last.
        length = os.fstat(self._log.fileno()).st_size
        return b"\nT " in os.pread(self._log.fileno(), _CHUNK, max(0, length - _CHUNK))


def _strace(pids: Sequence[int], calls: Sequence[str], log: int) -> list[str]:
    # A call that this architecture lacks is not an error.
    wanted = ",".join(f"?{name}" for name in calls)
    targets = [word for pid in pids for word in ("-p", str(pid))]
    return ["strace", *_OPTIONS, "-e", f"trace={wanted}", "-o", f"/dev/fd/{log}", *targets]


def _why_not(said: str, pids: Sequence[int], way: Way) -> str:
    named = " and ".join(map(str, pids))
    for pid in pids:
        if _has_ended(_status(pid)):
            return f"process {pid} has just ended"
    if "Operation not permitted" not in said:
        reason = said.strip().rpartition("\n")[2] or "it does not attach"
        return f"{way.value} cannot trace process {named}: {reason}"
    remedy = "in a container, start it with the capability SYS_PTRACE"
    if os.geteuid():
        remedy = f"run this as root, or {remedy}"
    scope = _read(_YAMA).strip()
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
