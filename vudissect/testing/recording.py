"""A capture is made: the real front-end and the real back-end, and vuproxy between them."""

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
from vudissect.testing.words import ending, has_crashed, tail

_LOOK_EVERY = 0.01
# How long the proxy may take to begin, and how long it may go on when a program has failed or was ended (s).
_PATIENCE = 10.0
_FAREWELL = 0.5


class RecordingError(Exception):
    """Nothing was recorded; the first line says why."""


class Pair(NamedTuple):
    """The commands of the two programs, `{socket}` in them, and which of them listens there."""

    front_end: Sequence[str]
    back_end: Sequence[str]
    front_end_listens: bool


def record(pair: Pair, capture: Path, folder: Path, seconds: float) -> str:
    """Run both in `folder` until their first connection ends, or for so many seconds, and write the capture.

    Returns in words what was recorded. `RecordingError`; an older capture is then still there.
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
        # The front-end first: it may have something to say before it leaves.
        failures = [failure for program in (front_end, proxy, back_end) for failure in _end(program)]
        if failures:
            raise RecordingError("\n".join(failures))
        messages = _messages(new)
        if not messages:
            said = [*tail(front_end.output), *tail(back_end.output)]
            raise RecordingError("\n".join(["the two said nothing to each other", *said]))
        capture.parent.mkdir(parents=True, exist_ok=True)
        write_private(str(capture), new.read_bytes())
    return f"{messages} messages, {how}"


def _proxy(front_end_listens: bool, front: str, back: str, capture: Path, seconds: float) -> Program:
    front_role, back_role = ("connect", "listen") if front_end_listens else ("listen", "connect")
    sides = ["--front-end", f"{front_role}:{front}", "--back-end", f"{back_role}:{back}"]
    how = ["-w", str(capture), "-q", "--once", "--wait", str(seconds)]
    return Program([*python_module("vudissect.cli.vuproxy"), *sides, *how], "")


def _wait_for(socket: Path, proxy: Program) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not socket.exists():
        if proxy.status is not None or time.monotonic() > deadline:
            raise RecordingError("\n".join([ending(proxy, proxy.status), *tail(proxy.output)]))
        time.sleep(_LOOK_EVERY)


def _watch(proxy: Program, front_end: Program, back_end: Program, seconds: float) -> str:
    """Wait for the end, and say in words which it was."""
    end = time.monotonic() + seconds
    while proxy.status is None:
        if time.monotonic() >= end:
            return f"ended after {seconds:g} s"
        if any(program.status for program in (front_end, back_end)):
            # If it was connected, that ends the proxy, too.
            proxy.wait(time.monotonic() + _FAREWELL)
            return "ended by a failure"
        time.sleep(_LOOK_EVERY)
    return "to the end of the connection"


def _end(program: Program) -> Iterator[str]:
    """End it, and say what was wrong with it, if anything was."""
    program.wait(time.monotonic() + _FAREWELL)
    before = program.status
    program.end()
    if before or has_crashed(program, before):
        yield ending(program, before)
        yield from tail(program.output)


def _messages(capture: Path) -> int:
    with open_capture(str(capture)) as stream:
        return sum(record.kind is RecordKind.MESSAGE for record in read_capture(stream))
