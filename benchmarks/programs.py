"""The programs that are measured: the C programs, the relays and commands, and the core that each runs on."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.peers.processes import Process, running, wait_for_listener

BUILD = Path(__file__).resolve().parents[1] / "build" / "benchmarks"
CAPTURE = "recorded.pcapng"

_CORES = sorted(os.sched_getaffinity(0))
PEERS_CORE = _CORES[0]
RELAY_CORE = _CORES[-1]

# The command of a relay between the socket that the front-end connects to and the one that the back-end listens on.
Relay = Callable[[Path, Path], list[str]]


def c_relay(front: Path, back: Path) -> list[str]:
    """The reference, relay.c."""
    return [compiled("relay"), os.fspath(front), os.fspath(back)]


def vuproxy(front: Path, back: Path) -> list[str]:
    """vuproxy, recording to CAPTURE in the folder of the sockets."""
    capture = front.with_name(CAPTURE)
    return [installed("vuproxy"), "--listen", os.fspath(front), "--connect", os.fspath(back), "-q", "-w", str(capture)]


def compiled(name: str) -> str:
    """The path of a C program; compiles it if its source is newer."""
    source, program = Path(__file__).with_name(f"{name}.c"), BUILD / name
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        BUILD.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", program, source], check=True)
    return os.fspath(program)


def installed(name: str) -> str:
    """The path of a command in the interpreter's environment."""
    return os.fspath(Path(sys.executable).with_name(name))


@contextmanager
def relaying(relay: Relay, front: Path, back: Path, core: int = RELAY_CORE) -> Iterator[Process]:
    """Run a relay on a core during the block; at the end, stop it and wait until its capture is complete."""
    with running("relay", _pinned(core, relay(front, back)), front.parent) as process:
        wait_for_listener(str(front), process)
        yield process


# A command of peer.c with its arguments after the socket, messages as bytes.
BackEnd = tuple[str, bytes]
FrontEnd = tuple[str, *tuple[bytes | int | str, ...]]


def converse(connect: Path, listen: Path, back_end: BackEnd, front_end: FrontEnd) -> Any:
    """Run a back-end and a front-end of peer.c against each other, on one core; returns the front-end's report."""
    with serving(listen, back_end):
        return _reported(_peer(connect, *front_end))


@contextmanager
def serving(listen: Path, back_end: BackEnd) -> Iterator[None]:
    """Run a back-end of peer.c during the block, which has to connect to it; it exits when the connection closes."""
    listen.unlink(missing_ok=True)
    with running("back-end", _peer(listen, *back_end), listen.parent) as process:
        wait_for_listener(str(listen), process)
        yield
        process.finish()


def converse_on(connection: socket.socket, front_end: FrontEnd) -> Any:
    """Run a front-end of peer.c on a connection, which it closes; returns its report."""
    with connection:
        return _reported(_peer(f"fd:{connection.fileno()}", *front_end), connection.fileno())


def _reported(command: list[str], *passed: int) -> Any:
    """Run a front-end of peer.c, with these descriptors; returns its report."""
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, pass_fds=passed).stdout)


def _peer(where: Path | str, command: str, *arguments: bytes | int | str) -> list[str]:
    texts = (argument.hex() if isinstance(argument, bytes) else str(argument) for argument in arguments)
    return _pinned(PEERS_CORE, [compiled("peer"), command, str(where), *texts])


def _pinned(core: int, command: list[str]) -> list[str]:
    return ["taskset", "--cpu-list", str(core), *command]


@dataclass(frozen=True)
class Spent:
    """The cost of a command: wall time in seconds, and peak memory in bytes."""

    seconds: float
    memory: int


def spent(*command: str) -> Spent:
    """Run a command and discard its output; an exit status other than 0 is a `CalledProcessError`."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Spent(seconds, usage.ru_maxrss << 10)
