"""Records a capture: starts the real front-end and back-end with vuproxy between them."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.capture.record import RecordKind
from vudissect.host.output import write_private
from vudissect.host.python import python_module
from vudissect.replay.program import Program, ProgramError
from vudissect.testing.exits import exit_text, has_crashed, tail

_POLL_INTERVAL = 0.01
# How long the proxy may take to start, and a program to exit by itself at the end (s).
_START_TIMEOUT = 10.0
_EXIT_TIMEOUT = 0.5


class RecordingError(Exception):
    """The recording failed; the first line says why."""


class Pair(NamedTuple):
    """The commands of the two programs, each with `{socket}`, and which one listens there."""

    front_end: Sequence[str]
    back_end: Sequence[str]
    front_end_listens: bool


def record(pair: Pair, capture: Path, folder: Path, seconds: float) -> str:
    """Run both in `folder` until their first connection ends, at most for `seconds`, and write the capture.

    Returns a description of the recording. `RecordingError` if it fails; an older capture is then kept.
    """
    with TemporaryDirectory(prefix="vudissect-") as place, ExitStack() as owned:
        new = Path(place, "new.pcapng")
        front, back = f"{place}/front", f"{place}/back"
        try:
            proxy = owned.enter_context(_proxy(pair.front_end_listens, front, back, new, seconds))
            _wait_for(Path(back if pair.front_end_listens else front), proxy)
            back_end = owned.enter_context(Program(pair.back_end, back, folder))
            front_end = owned.enter_context(Program(pair.front_end, front, folder))
        except ProgramError as error:
            raise RecordingError(str(error)) from None
        how = _watch(proxy, front_end, back_end, seconds)
        # The front-end first: it may send messages before it exits.
        failures = [failure for program in (front_end, proxy, back_end) for failure in _end(program)]
        if failures:
            raise RecordingError("\n".join(failures))
        messages = _messages(new)
        if not messages:
            output = [*tail(front_end.output), *tail(back_end.output)]
            raise RecordingError("\n".join(["the two programs exchanged no messages", *output]))
        capture.parent.mkdir(parents=True, exist_ok=True)
        write_private(str(capture), new.read_bytes())
    return f"{messages} messages, {how}"


def _proxy(front_end_listens: bool, front: str, back: str, capture: Path, seconds: float) -> Program:
    front_role, back_role = ("connect", "listen") if front_end_listens else ("listen", "connect")
    sides = ["--front-end", f"{front_role}:{front}", "--back-end", f"{back_role}:{back}"]
    options = ["-w", str(capture), "-q", "--once", "--wait", str(seconds)]
    return Program([*python_module("vudissect.cli.vuproxy"), *sides, *options], "")


def _wait_for(socket: Path, proxy: Program) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while not socket.exists():
        if proxy.status is not None or time.monotonic() > deadline:
            raise RecordingError("\n".join([exit_text(proxy, proxy.status), *tail(proxy.output)]))
        time.sleep(_POLL_INTERVAL)


def _watch(proxy: Program, front_end: Program, back_end: Program, seconds: float) -> str:
    """Wait for the end, and describe it."""
    end = time.monotonic() + seconds
    while proxy.status is None:
        if time.monotonic() >= end:
            return f"stopped after {seconds:g} s"
        if any(program.status for program in (front_end, back_end)):
            # If the program was connected, the proxy exits, too.
            proxy.wait(time.monotonic() + _EXIT_TIMEOUT)
            return "stopped by a failure"
        time.sleep(_POLL_INTERVAL)
    return "until the connection closed"


def _end(program: Program) -> Iterator[str]:
    """End it; yields how it failed, if it did."""
    program.wait(time.monotonic() + _EXIT_TIMEOUT)
    before = program.status
    program.end()
    if before or has_crashed(program, before):
        yield exit_text(program, before)
        yield from tail(program.output)


def _messages(capture: Path) -> int:
    if not capture.exists():
        return 0  # nobody came, so vuproxy left none
    with open_capture(str(capture)) as stream:
        return sum(record.kind is RecordKind.MESSAGE for record in read_capture(stream))
