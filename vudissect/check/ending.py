"""Ends a program with all that it has started, also what has left its process group."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_GRACE = 2.0
_ROUNDS = 10
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
