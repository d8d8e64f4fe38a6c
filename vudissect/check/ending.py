"""Ends a program with all that it has started, also what has left its process group."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_GRACE = 2.0
_ROUNDS = 10
_LOOK_EVERY = 0.002
_DEAD = (b"Z", b"X")
# All that a program starts inherits this variable, even a daemon.
_VARIABLE = "VUDISSECT_CHECK"


def marked(mark: str) -> dict[str, str]:
    """The environment for a program that `end_strays` can find again; `mark` is of this program alone."""
    return {**os.environ, _VARIABLE: mark}


def end_group(process: subprocess.Popen[bytes], *, gently: bool) -> None:
    """End a process and its group; `gently` gives it some time to do that itself."""
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    if gently and process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its group, and wait until they have closed what they had open, as long as that may take."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    deadline = time.monotonic() + _GRACE
    while any(_has_open(pid, process.pid) for pid in _processes()) and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY)


def _has_open(pid: int, group: int) -> bool:
    """Whether a process is of this group and not yet a zombie without threads."""
    with suppress(OSError), open(f"/proc/{pid}/stat", "rb") as file:
        # After the name, which may have anything in it: the state, the parent, the group.
        state, _, its_group, *_ = file.read().rpartition(b")")[2].split()
        return int(its_group) == group and (state not in _DEAD or len(os.listdir(f"/proc/{pid}/task")) > 1)
    return False


def end_strays(mark: str) -> None:
    """End what is left of a program with this mark."""
    wanted = f"{_VARIABLE}={mark}".encode()
    for _ in range(_ROUNDS):
        # One that is about to end may have started another one after it was looked for.
        if not sum(_end(pid, wanted) for pid in _processes()):
            return


def _processes() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _end(pid: int, wanted: bytes) -> bool:
    """End this process if this variable is in its environment; whether it was."""
    with suppress(OSError), _held(pid) as process, open(f"/proc/{pid}/environ", "rb") as environment:
        if wanted in environment.read().split(b"\0"):
            signal.pidfd_send_signal(process, signal.SIGKILL)
            return True
    return False


@contextmanager
def _held(pid: int) -> Iterator[int]:
    """A descriptor of the process: its number may be another's a moment later."""
    process = os.pidfd_open(pid)
    try:
        yield process
    finally:
        os.close(process)
