"""Runs cases: one back-end is kept as long as it lives, and judged by what it did and by what became of it."""

import time
from contextlib import suppress
from typing import NamedTuple

from vudissect.check.directed import Directed
from vudissect.check.discovery import Discovered, discover
from vudissect.check.fate import BUSY, Watch
from vudissect.check.judging import judge_sides, panicked
from vudissect.check.model import Behaviour, Case, Verdict
from vudissect.check.outcome import Fate, Life, Played, Result
from vudissect.check.play import play
from vudissect.check.process import busy, descriptors_of
from vudissect.check.program import Program, ProgramError, last_lines
from vudissect.check.room import Room
from vudissect.check.stage import FIRST_ANSWER, DeviationError, Stage
from vudissect.check.verbs.session import ready
from vudissect.conversation.conversation import ConversationError
from vudissect.protocol.model import Device
from vudissect.rings.memory import RingError

_MANY_RINGS = 128
_BEGINS_WITHIN = 3.0
_NOT_PLAYED = (Verdict.SKIP, Verdict.UNIMPLEMENTED)
_UNKNOWN = Discovered(0, 0)


class Options(NamedTuple):
    """How to run. Times in seconds; `patience` is for a program that starts."""

    device: Device | None = None
    timeout: float = 1.0
    patience: float = 10.0
    repeat: int = 1


class Runner:
    """Runs cases on one back-end. Close the back-end afterwards."""

    def __init__(self, backend: Program, options: Options, discovered: Discovered = _UNKNOWN) -> None:
        self._backend = backend
        self._options = options
        self._has_idle = False
        self.discovered = discovered

    def discover(self) -> Discovered:
        """Find out what the back-end is, and whether it serves more than one connection; `ProgramError`."""
        backend = self._backend
        backend.start()
        try:
            stage = self._stage(self._options.patience / (1 + FIRST_ANSWER))
            stage.connect()
            found = discover(stage, self._options.device)
        except (DeviationError, OSError) as error:
            words = " ".join(last_lines(backend.output(), 3)) or "it wrote nothing"
            raise ProgramError(f"the back-end does not answer: {error}; its last words: {words}") from None
        abilities = {"serving"} if descriptors_of(backend.pid) >= 0 else set()
        abilities |= {"64 queue pairs"} if (found.queues or 0) >= _MANY_RINGS else set()
        abilities |= {"directed"} if isinstance(backend, Directed) else set()
        abilities |= {"process"} if backend.can_restart else set()
        idle = busy(backend.pid, backend.clock)
        stage.close()
        if self.watch().serves_another():
            abilities.add("reconnect")
        room = Room(stage, backend, found)
        abilities |= {"data"} if room.path is not None else set()
        abilities |= {"other ring"} if room.ring < room.other < (found.queues or 0) else set()
        self.discovered = found._replace(abilities=frozenset(abilities), idle=idle)
        return self.discovered

    def play(self, case: Case) -> Result:
        """Play a case as often as asked for; `ProgramError` if the back-end is gone."""
        first, *others = (self.run_one(case) for _ in range(self._options.repeat))
        return first.repeated(tuple(others))

    def run_one(self, case: Case) -> Result:
        """Play one case; as often as it says, until it fails."""
        if case.fresh:
            self._backend.stop()
        worst = self._run_once(case)
        if worst.verdict is Verdict.WEDGED and not self._has_idle and self._is_always_busy():
            worst = self._run_once(case)
        for _ in range(case.times - 1):
            if worst.verdict.is_failure() or worst.verdict in _NOT_PLAYED:
                break
            worst = max(worst, self._run_once(case), key=lambda result: result.verdict.severity)
        if case.fresh:
            self._backend.stop()
        return worst

    def _is_always_busy(self) -> bool:
        """Whether it is busy without work, which it may have begun only after it first answered, or when rings ran."""
        self._has_idle = True
        backend = self._backend
        if backend.can_restart:
            backend.stop()
        backend.start()
        room = Room(self._stage(self._options.timeout), backend, self.discovered)
        idle = with_rings = 0.0
        with suppress(DeviationError, RingError):
            room.connect()
            room.barrier()
            idle = self._busy_soon()
            if idle <= BUSY and "data" in self.discovered.abilities:
                ready(room)
                with_rings = self._busy_soon()
        room.stage.close()
        before = max(self.discovered.idle, self.discovered.idle_with_rings)
        self.discovered = self.discovered._replace(idle=idle, idle_with_rings=with_rings)
        return max(idle, with_rings) > BUSY > before

    def _busy_soon(self) -> float:
        """How busy it is, at the latest in a while."""
        deadline = time.monotonic() + _BEGINS_WITHIN
        while (found := busy(self._backend.pid, self._backend.clock)) <= BUSY and time.monotonic() < deadline:
            pass
        return found

    def _run_once(self, case: Case) -> Result:
        unmet = self.discovered.unmet(case)
        if unmet is not None:
            verdict, why = unmet
            return Result(case, verdict, Played(verdict, Behaviour.WORKS, why))
        backend = self._backend
        if "reconnect" not in self.discovered.abilities:
            backend.stop()
        backend.start()
        began, waited, written = time.monotonic(), backend.clock.waited, backend.written
        before = descriptors_of(backend.pid)
        stage = self._stage(self._options.timeout)
        room = Room(stage, backend, self.discovered)
        try:
            played = self._play(case, room)
            connection = stage.connection_fate
        finally:
            stage.close()
        fate = self.watch().fate(connection, before, silent=played.behaviour is Behaviour.SILENT)
        output = backend.output(since=written)
        ours, theirs = judge_sides(case, played, tuple(stage.recorder.records), self.discovered.device)
        if played.verdict is Verdict.SKIP:
            ours = (played.text, *ours)
        result = Result(
            case,
            _verdict(case, played, fate, output, reconnects="reconnect" in self.discovered.abilities),
            played,
            fate,
            time.monotonic() - began,
            backend.clock.waited - waited,
            last_words=last_lines(output),
            ours=ours,
            theirs=theirs,
            records=tuple(stage.recorder.records),
        )
        if fate.life is not Life.ALIVE or fate.next_connection is False or fate.lost_descriptors:
            if backend.can_restart:
                backend.stop()
            elif fate.next_connection is False:
                raise ProgramLostError(result)
        return result

    def _play(self, case: Case, room: Room) -> Played:
        try:
            room.connect()
        except DeviationError as deviation:
            return Played(Verdict.FAIL, deviation.behaviour, str(deviation))
        try:
            return play(case, room)
        except (ConversationError, RingError, OSError) as error:
            return Played(Verdict.SKIP, Behaviour.WORKS, f"this case cannot be played here: {error}")

    def _stage(self, timeout: float) -> Stage:
        return Stage(self._backend, self._options.device or self.discovered.device, timeout)

    def watch(self) -> Watch:
        """Who looks at what became of the back-end."""
        return Watch(
            self._backend,
            self._options.device or self.discovered.device,
            self._options.timeout,
            "reconnect" in self.discovered.abilities,
            self.discovered.idle,
        )


class ProgramLostError(ProgramError):
    """A back-end that was not started here is gone, or hangs: nothing more can be tried."""

    def __init__(self, result: Result) -> None:
        super().__init__(f"the back-end serves no more connections after {result.case.id}: {result.why}")
        self.result = result


def _verdict(case: Case, played: Played, fate: Fate, output: str, *, reconnects: bool) -> Verdict:
    """Behaviour and fate together."""
    crashed = fate.life is Life.KILLED or panicked(output)
    if crashed and not _meant_to_end(case):
        return Verdict.CRASH
    verdict = played.verdict
    if fate.life in (Life.SPINNING, Life.HUNG):
        return Verdict.WEDGED
    if (
        reconnects
        and not _meant_to_end(case)
        and (fate.life in (Life.EXITED, Life.GONE) or fate.next_connection is False)
    ):
        return max(verdict, Verdict.FAIL, key=lambda each: each.severity)
    return verdict


def _meant_to_end(case: Case) -> bool:
    return "process" in case.needs
