"""Whether a process runs."""

from pathlib import Path

# proc(5): stopped by a signal, or by a debugger.
_STOPPED = frozenset({"T", "t"})


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped; False if it is not there, or cannot be looked at."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split(None, 1)[0] in _STOPPED
