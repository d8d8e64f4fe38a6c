"""Runs cases on a front-end, which is started afresh for each of them, and judges what it did and what became of it."""

import os
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from vudissect.check.discovery import Discovered
from vudissect.check.front_end.play import awaited, play
from vudissect.check.front_end.scene import ENOUGH_REQUESTS, Course, Happened, Scene
from vudissect.check.front_end.verbs import NotHereError
from vudissect.check.front_end.watch import observe
from vudissect.check.judging import judge_sides, panicked
from vudissect.check.link import LinkError
from vudissect.check.model import Behaviour, Case, Verdict
from vudissect.check.outcome import Fate, Life, Played, Result
from vudissect.check.play import lines_of
from vudissect.check.process import busy
from vudissect.check.program import Ended, Program, ProgramError, last_lines
from vudissect.check.reference.intake import HangUpError
from vudissect.check.runner import Options
from vudissect.check.stage import DeviationError
from vudissect.conversation.conversation import ConversationError
from vudissect.lint.finding import Blame
from vudissect.protocol.devices.storage import BLK
from vudissect.protocol.model import Device
from vudissect.rings.memory import RingError

_END_WITHIN = 4.0
_LOOK_EVERY = 0.01
_REST = 3.0
_BUSY = 0.8
_GIVES_UP = (Behaviour.GIVES_UP, Behaviour.GIVES_UP_QUIETLY, Behaviour.RECONNECTS)
_MEANT = (signal.SIGTERM, signal.SIGKILL)


class Normal(NamedTuple):
    """What a front-end does if nothing is wrong; `last` is what it sends when it is ended, if SIGTERM `ends` it."""

    course: Course = Course()
    last: tuple[str, ...] = ()
    ends: bool = True


class FrontEndRunner:
    """Runs cases on one front-end. Close the program afterwards."""

    def __init__(
        self, program: Program, options: Options, discovered: Discovered | None = None, normal: Normal | None = None
    ) -> None:
        self._program = program
        self._options = options
        self._device: Device = options.device or BLK
        self.discovered = discovered or Discovered(0, 0, device=self._device)
        self.normal = normal or Normal()

    def discover(self) -> Discovered:
        """Find out how far it comes, what it acknowledges and whether SIGTERM ends it; `ProgramError` if it fails."""
        program = self._program
        program.start()
        scene = Scene(program, self._device, max(self._options.timeout, _REST), Course())
        try:
            scene.ensure_connected()
            behaviour, text = _observed(scene)
            messages, pause = tuple(scene.sent), scene.pause
            requests = min(scene.servant.requests, ENOUGH_REQUESTS)
            before = program.life()
            if before == (Life.EXITED, 0) and messages:
                behaviour, text = Behaviour.GOES_ON, ""
            if behaviour in _GIVES_UP or not messages:
                words = " ".join(last_lines(program.output(), 3)) or "it wrote nothing"
                if messages:
                    what = f"{text or behaviour}, with a back-end that does everything right"
                else:
                    what = f"sends nothing, and {text}" if text else "sends nothing"
                raise ProgramError(f"the front-end {what}; its last words: {words}")
            idle = busy(program.pid, program.clock)
            ended = self.end(scene, idle)
            agreed = scene.agreed
        finally:
            scene.close()
            program.stop()
        features, protocol_features = agreed.features.acked or 0, agreed.protocol_features.acked or 0
        course = Course(messages, requests, before.number if before.life is Life.EXITED else -1, pause, idle > _BUSY)
        ends = self._heeds_sigterm(course) if course.ends >= 0 else ended.life not in (Life.HUNG, Life.SPINNING)
        self.normal = Normal(course, tuple(scene.sent[len(messages) :]), ends)
        abilities = frozenset({"process"} | ({"data"} if requests else set()))
        self.discovered = Discovered(features, protocol_features, device=self._device, abilities=abilities, idle=idle)
        return self.discovered

    def _heeds_sigterm(self, course: Course) -> bool:
        """Whether one that ends by itself ends earlier when it is asked to after its first message."""
        self._program.start()
        scene = Scene(self._program, self._device, max(self._options.timeout, _REST), course)
        try:
            scene.ensure_connected()
            deadline = time.monotonic() + scene.quiet
            with suppress(DeviationError, LinkError, HangUpError):
                while not scene.sent and not scene.ended and time.monotonic() < deadline:
                    if scene.step() is Happened.CLOSED:
                        break
            scene.ask_to_end()
            return self._ends(scene) and not scene.has_done_all
        finally:
            scene.close()
            self._program.stop()

    def play(self, case: Case) -> Result:
        """Play a case as often as asked for; `ProgramError` if the front-end cannot be started any more."""
        first, *others = (self.run_one(case) for _ in range(self._options.repeat))
        return first.repeated(tuple(others))

    def run_one(self, case: Case) -> Result:
        """Play one case once."""
        unmet = self.unmet(case)
        if unmet is not None:
            return _not_played(case, *unmet)
        program = self._program
        program.stop()
        written = program.written
        program.start()
        began, waited = time.monotonic(), program.clock.waited
        scene = Scene(program, self._device, self._options.timeout, self.normal.course)
        try:
            played = play(case, scene)
        except NotHereError as why:
            played = Played(Verdict.UNIMPLEMENTED, Behaviour.WORKS, str(why))
        except (ConversationError, RingError) as error:
            played = Played(Verdict.SKIP, Behaviour.WORKS, f"this case cannot be played here: {error}")
        try:
            connection = "open" if scene.session is not None else "closed"
            ended = self.end(scene, self.discovered.idle)
        finally:
            scene.close()
            program.stop()
        if ended.life in (Life.HUNG, Life.SPINNING) and not scene.asked_to_end:
            # Whether it had really gone on could not be seen.
            before = f"{played.text}, and" if played.behaviour is not Behaviour.GOES_ON else "the front-end"
            played = replace(played, text=f"{before} does not end when it is sent SIGTERM")
        output = program.output(since=written)
        records = tuple(scene.recorder.records)
        ours, theirs = judge_sides(case, played, records, self._device, Blame.BACK_END)
        # It may be refused only by breaking a rule in return.
        if played.verdict is Verdict.UNIMPLEMENTED or scene.refused:
            ours = ()
        if played.verdict is Verdict.SKIP:
            ours = (played.text, *ours)
        return Result(
            case,
            _verdict(played, ended, output),
            played,
            Fate(ended.life, ended.number, connection),
            time.monotonic() - began,
            program.clock.waited - waited,
            last_words=last_lines(output),
            ours=ours,
            theirs=theirs,
            records=records,
        )

    def unmet(self, case: Case) -> tuple[Verdict, str] | None:
        """Why a case cannot be played, None if it can."""
        if case.device and case.device != self._device.name:
            return Verdict.SKIP, f"not for a device of type {self._device.name}"
        sent = Counter((*self.normal.course.messages, *self.normal.last))
        wanted = Counter(line.text for line in lines_of(case.talk) if line.text.startswith("F>B "))
        for text, count in wanted.items():
            names = awaited(text)
            if sum(sent[name] for name in names) < count:
                again = f" {count} times" if count > 1 else ""
                return Verdict.UNIMPLEMENTED, f"the front-end does not send {' or '.join(names)}{again}"
        for need in case.needs:
            if not self.discovered.offers(need):
                what = "makes no requests in a ring" if need == "data" else f"does not acknowledge {need}"
                return Verdict.UNIMPLEMENTED, f"the front-end {what}"
        return None

    def end(self, scene: Scene, idle: float) -> Ended:
        """End the process as a user would, and serve it until then; how it was, or how it has ended."""
        program = self._program
        before = program.life()
        if before.life is not Life.ALIVE:
            return before
        pid = program.pid
        if self.normal.ends:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            if self._ends(scene):
                ended = program.life()
                meant = ended.life is Life.EXITED or ended.number in _MEANT
                return Ended(Life.ALIVE) if meant else ended
        spins = busy(pid, program.clock) > _BUSY > idle
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        # A shell in between may not end with it; the program is stopped as a whole after this.
        deadline = time.monotonic() + _END_WITHIN
        while program.life().life is Life.ALIVE and time.monotonic() < deadline:
            program.clock.sleep(_LOOK_EVERY)
        if not self.normal.ends:
            return before
        return Ended(Life.SPINNING if spins else Life.HUNG)

    def _ends(self, scene: Scene) -> bool:
        deadline = time.monotonic() + max(_END_WITHIN, 2 * self._options.timeout)
        while time.monotonic() < deadline:
            with suppress(DeviationError, LinkError, HangUpError):
                scene.step()
            if scene.ended:
                return True
        return False


def _observed(scene: Scene) -> tuple[Behaviour, str]:
    try:
        return observe(scene)
    except DeviationError as deviation:
        return Behaviour.GIVES_UP, f"cannot be served: {deviation}"


def _not_played(case: Case, verdict: Verdict, why: str) -> Result:
    return Result(case, verdict, Played(verdict, Behaviour.WORKS, why))


def _verdict(played: Played, ended: Ended, output: str) -> Verdict:
    """Behaviour and fate together; nothing is said about what could not be tried."""
    if played.verdict is Verdict.UNIMPLEMENTED:
        return Verdict.UNIMPLEMENTED
    if ended.life is Life.KILLED or panicked(output):
        return Verdict.CRASH
    if ended.life in (Life.SPINNING, Life.HUNG):
        return Verdict.WEDGED
    return played.verdict
