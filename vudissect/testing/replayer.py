"""The fixture `vudissect_replay`: starts a program, replays a capture against it, fails the test if they differ."""

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NoReturn

import pytest

from vudissect.capture.errors import CaptureError
from vudissect.compare.outcome import Outcome, Trouble
from vudissect.host.address import AddressError
from vudissect.protocol.model import Side
from vudissect.render.replay import report
from vudissect.render.style import Style
from vudissect.replay import Connector, Dial, Listen, Options, Program, ProgramError, Script, StreamError, load, replay
from vudissect.replay.stream import Stream
from vudissect.testing.exits import exit_text, has_crashed, tail
from vudissect.testing.marker import Settings
from vudissect.testing.plugin import RECORDED, RECORDED_NOW, Recording
from vudissect.testing.recording import Pair, RecordingError, record

_SOCKET: Final = "{socket}"
# How often to check whether a program that does not connect has exited, and how long one that closed the connection
# may take to exit (s).
_POLL_INTERVAL: Final = 0.1
_EXIT_TIMEOUT: Final = 1.0


@dataclass(frozen=True, slots=True)
class Replayed:
    """A replay without differences.

    `outcome` has the counts, the differences that are allowed, and all records; `report` is its text. `output` is what
    the program wrote, `status` its exit status (minus the signal number if a signal killed it).
    """

    capture: Path
    outcome: Outcome
    report: str
    output: str
    status: int


class Replayer:
    """Replays the capture that a test is marked with, each time it is called."""

    def __init__(self, item: pytest.Item, settings: Settings) -> None:
        self._item = item
        self._settings = settings
        self._folder = item.path.parent

    def __call__(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        peer: Sequence[str | os.PathLike[str]] | None = None,
    ) -> Replayed:
        """Start `command`, replay the capture against it, end it. A difference or a crash fails the test.

        `{socket}` in its words is the path of the socket. It runs in the folder of the test file. `peer` is the
        command that the replay takes the place of; it is run only to record.
        """
        __tracebackhide__ = True
        words = _checked("the command", command)
        self._record(words, None if peer is None else _checked("peer", peer))
        script = self._script()
        settings = self._settings
        with TemporaryDirectory(prefix="vudissect-") as place, ExitStack() as owned:
            socket = f"{place}/socket"
            try:
                connector: Connector = owned.enter_context(Listen.at(socket)) if settings.listens else Dial.at(socket)
                program = owned.enter_context(Program(words, socket, self._folder))
                options = Options(timeout=settings.timeout, keep_going=settings.keep_going, deadline=settings.deadline)
                outcome = replay(script, _WhileRunning(connector, program), settings.policy, options)
            except (AddressError, ProgramError) as error:
                _fail(str(error))
            if any(difference.trouble in (Trouble.CLOSED, Trouble.UNREACHED) for difference in outcome.differences):
                program.wait(time.monotonic() + _EXIT_TIMEOUT)
            before = program.status
            program.end()
            text = "\n".join(report(outcome, settings.name, Style(False)))
            end = "\n".join([exit_text(program, before), *tail(program.output)])
            if not outcome.ok:
                _fail(f"{text}\n{end}")
            if has_crashed(program, before):
                _fail(f"{end}\n{text}")
            assert program.status is not None
            self._item.add_report_section("call", "vudissect", text)
            return Replayed(settings.capture, outcome, text, program.output, program.status)

    def _script(self) -> Script:
        settings = self._settings
        try:
            script = load(str(settings.capture), settings.side, settings.first, settings.last)
        except CaptureError as error:
            _fail(f"{settings.name}: {error}")
        except OSError as error:
            _fail(f"{settings.name}: {error.strerror or error}")
        if not script.messages:
            _fail(f"{settings.name}: there are no messages to play")
        if script.obstacles and not settings.incomplete:
            more = f" (and {len(script.obstacles) - 1} more)" if len(script.obstacles) > 1 else ""
            _fail(f"{settings.name}: {script.obstacles[0]}{more}; incomplete=True plays what there is")
        return script

    def _record(self, command: Sequence[str], peer: Sequence[str] | None) -> None:
        """Record the capture, if `--vudissect-record` says so."""
        settings, config = self._settings, self._item.config
        recorded = config.stash[RECORDED_NOW]
        recording = Recording(config.getoption("vudissect_record"))
        if recording is Recording.REWRITE and settings.capture in recorded:
            return
        if recording is not Recording.REWRITE and settings.capture.exists():
            return
        if recording is Recording.NONE:
            _fail(f"{settings.name}: no such capture; --vudissect-record=once records it")
        if peer is None:
            _fail(f"{settings.name}: cannot be recorded: name the other program, peer=[...]")
        front_end, back_end = (peer, command) if settings.side is Side.FRONT_END else (command, peer)
        # The same side listens in the recording and in the replay.
        front_end_listens = settings.listens is (settings.side is Side.FRONT_END)
        try:
            pair = Pair(front_end, back_end, front_end_listens)
            what = record(pair, settings.capture, self._folder, settings.record_for)
        except (AddressError, RecordingError) as error:
            _fail(f"{settings.name}: not recorded: {error}")
        except OSError as error:
            _fail(f"{settings.name}: not recorded: {error.strerror or error}")
        recorded.add(settings.capture)
        self._item.user_properties.append((RECORDED, f"{settings.name}: {what}"))


class _WhileRunning:
    """Connects to a program that we started: stops waiting when the program has failed."""

    def __init__(self, connector: Connector, program: Program) -> None:
        self._connector = connector
        self._program = program

    def connect(self, deadline: float) -> Stream:
        """As in `Connector`."""
        while True:
            failed = bool(self._program.status)
            try:
                return self._connector.connect(min(deadline, time.monotonic() + _POLL_INTERVAL))
            except StreamError:
                if failed or time.monotonic() >= deadline:
                    raise


def _checked(what: str, command: Sequence[str | os.PathLike[str]]) -> list[str]:
    """The words of a command; an invalid one fails the test."""
    if not isinstance(command, list | tuple) or not command:
        _fail(f"{what}: give a list of words, not {command!r}")
    words = [os.fspath(word) for word in command]
    if not any(_SOCKET in word for word in words):
        _fail(f"{what}: write {_SOCKET} where the path of the socket belongs")
    return words


def _fail(text: str) -> NoReturn:
    # The text already has the error that led here.
    raise pytest.fail.Exception(text, pytrace=False) from None
