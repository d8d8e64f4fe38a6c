"""strace, from the start of a program or attached to one that runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.processes import Process, program, running
from vudissect.sources.imports import STRACE_OPTIONS


def strace_options() -> list[str]:
    """strace with the options that docs/import.md recommends; the name of the log comes next."""
    return [program("strace", "strace"), *STRACE_OPTIONS, "-o"]


@contextmanager
def attached(process: Process, log: Path) -> Iterator[None]:
    """Trace a running program during the block."""
    with running("strace", [*strace_options(), log.name, "-p", str(process.pid)], log.parent) as tracer:
        tracer.expect("attached")
        yield
        tracer.terminate()
        tracer.expect("detached")
