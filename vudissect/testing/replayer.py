"""What the fixture `vudissect_replay` is: starts a program, replays a capture against it, and fails the test."""

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
from vudissect.replay import Calling, LineError, Meeting, Options, Program, ProgramError, Script, Waiting, load, replay
from vudissect.replay.line import Line
from vudissect.testing.marker import Wish
from vudissect.testing.plugin import RECORDED, RECORDED_NOW, Recording
from vudissect.testing.recording import Pair, RecordingError, record
from vudissect.testing.words import ending, has_crashed, tail

_SOCKET: Final = "{socket}"
# How often it is looked whether a program that does not come has ended, and how long one that hung up may take to (s).
_LOOK_EVERY: Final = 0.1
_LAST_BREATH: Final = 1.0


@dataclass(frozen=True, slots=True)
class Replayed:
    """A replay that went well.

    `outcome` has the counts, what was allowed and all records; `report` is its text. `output` is what the program
    wrote, `status` its exit status (a signal's number, negative, where one killed it).
    """

    capture: Path
    outcome: Outcome
    report: str
    output: str
    status: int


class Replayer:
    """Replays the capture that a test is marked with, as often as it is called."""

    def __init__(self, item: pytest.Item, wish: Wish) -> None:
        self._item = item
        self._wish = wish
        self._folder = item.path.parent

    def __call__(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        peer: Sequence[str | os.PathLike[str]] | None = None,
    ) -> Replayed:
        """Start `command`, replay against it, end it. A difference, and a crash, fail the test.

        `{socket}` in its words is the path where both meet. It runs in the folder of the test file. `peer` is the
        command that the replay stands in for: it is run only to record.
        """
        __tracebackhide__ = True
        words = _checked("the command", command)
        self._record(words, None if peer is None else _checked("peer", peer))
        script = self._script()
        wish = self._wish
        with TemporaryDirectory(prefix="vudissect-") as place, ExitStack() as owned:
            socket = f"{place}/socket"
            try:
                meeting: Meeting = owned.enter_context(Waiting.at(socket)) if wish.listens else Calling.at(socket)
                program = owned.enter_context(Program(words, socket, self._folder))
                options = Options(timeout=wish.timeout, keep_going=wish.keep_going, deadline=wish.deadline)
                outcome = replay(script, _Nearby(meeting, program), wish.policy, options)
            except (AddressError, ProgramError) as error:
                _fail(str(error))
            if any(difference.trouble in (Trouble.CLOSED, Trouble.UNREACHED) for difference in outcome.differences):
                program.wait(time.monotonic() + _LAST_BREATH)
            before = program.status
            program.end()
            text = "\n".join(report(outcome, wish.name, Style(False)))
            end = "\n".join([ending(program, before), *tail(program.output)])
            if not outcome.ok:
                _fail(f"{text}\n{end}")
            if has_crashed(program, before):
                _fail(f"{end}\n{text}")
            assert program.status is not None
            self._item.add_report_section("call", "vudissect", text)
            return Replayed(wish.capture, outcome, text, program.output, program.status)

    def _script(self) -> Script:
        wish = self._wish
        try:
            script = load(str(wish.capture), wish.side, wish.first, wish.last)
        except CaptureError as error:
            _fail(f"{wish.name}: {error}")
        except OSError as error:
            _fail(f"{wish.name}: {error.strerror or error}")
        if not script.messages:
            _fail(f"{wish.name}: there are no messages to play")
        if script.obstacles and not wish.incomplete:
            more = f" (and {len(script.obstacles) - 1} more)" if len(script.obstacles) > 1 else ""
            _fail(f"{wish.name}: {script.obstacles[0]}{more}; incomplete=True plays what there is")
        return script

    def _record(self, command: Sequence[str], peer: Sequence[str] | None) -> None:
        """Make the capture, if that is wanted."""
        wish, config = self._wish, self._item.config
        done = config.stash[RECORDED_NOW]
        there = wish.capture.exists()
        recording = Recording(config.getoption("vudissect_record"))
        if recording is Recording.REWRITE and wish.capture in done:
            return
        if there and recording is not Recording.REWRITE:
            return
        if recording is Recording.NONE:
            _fail(f"{wish.name}: no such capture; --vudissect-record=once records it")
        if peer is None:
            _fail(f"{wish.name}: cannot be recorded: the test does not say with which program, peer=[...]")
        front_end, back_end = (peer, command) if wish.side is Side.FRONT_END else (command, peer)
        # Whoever is called by the replay listens.
        front_end_listens = wish.listens is (wish.side is Side.FRONT_END)
        try:
            pair = Pair(front_end, back_end, front_end_listens)
            what = record(pair, wish.capture, self._folder, wish.record_for)
        except (AddressError, RecordingError) as error:
            _fail(f"{wish.name}: was not recorded: {error}")
        except OSError as error:
            _fail(f"{wish.name}: was not recorded: {error.strerror or error}")
        done.add(wish.capture)
        self._item.user_properties.append((RECORDED, f"{wish.name}: {what}"))


class _Nearby:
    """A meeting with a program that runs here: one that has failed is not waited for."""

    def __init__(self, meeting: Meeting, program: Program) -> None:
        self._meeting = meeting
        self._program = program

    def meet(self, deadline: float) -> Line:
        """See `Meeting`."""
        while True:
            failed = bool(self._program.status)
            try:
                return self._meeting.meet(min(deadline, time.monotonic() + _LOOK_EVERY))
            except LineError:
                if failed or time.monotonic() >= deadline:
                    raise


def _checked(what: str, command: Sequence[str | os.PathLike[str]]) -> list[str]:
    """The words of a command; the test fails if it is none."""
    if not isinstance(command, list | tuple) or not command:
        _fail(f"{what}: give a list of words, not {command!r}")
    words = [os.fspath(word) for word in command]
    if not any(_SOCKET in word for word in words):
        _fail(f"{what}: say {_SOCKET} where the path of the socket belongs")
    return words


def _fail(text: str) -> NoReturn:
    # Whatever error has led here is in the text.
    raise pytest.fail.Exception(text, pytrace=False) from None
