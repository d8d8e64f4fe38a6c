"""Runs `vuproxy` between two programs, as a user would start it."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from tests.peers.processes import PeerError, Process, running, wait_for_listener


class Between(Protocol):
    """Runs a relay between a front-end and a back-end for the length of a block."""

    def __call__(self, *, front_end: str, back_end: str) -> AbstractContextManager[object]: ...


@contextmanager
def recorded(
    capture: Path, *, front_end: str, back_end: str, once: bool = False, options: Sequence[str] = ()
) -> Iterator[Process]:
    """Record the traffic between two addresses (`listen:PATH` or `connect:PATH`) during the block.

    `options` are further options of `vuproxy`. Paths are relative to the folder of the capture, which is complete after
    the block. `vuproxy` then exits by itself after `once` connection, otherwise on SIGTERM. `PeerError` if its status
    is not 0, unless the block has killed it.
    """
    vuproxy = Path(sys.executable).with_name("vuproxy")
    if not vuproxy.exists():
        raise PeerError(f"no vuproxy next to {sys.executable}; install the package: pip install -e .")
    command = [os.fspath(vuproxy), "--front-end", front_end, "--back-end", back_end, "-w", capture.name, "-q", *options]
    if once:
        command.append("--once")
    with running("vuproxy", command, capture.parent) as proxy:
        for role, _, address in (front_end.partition(":"), back_end.partition(":")):
            if role == "listen":
                wait_for_listener(address, proxy)
        yield proxy
        if proxy.killed:
            return
        if not once:
            proxy.terminate()
        proxy.finish()
