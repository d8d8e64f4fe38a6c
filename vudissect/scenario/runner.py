"""Runs scenarios between two programs, which are started afresh for each run and again where they have ended."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from vudissect.analysis import findings
from vudissect.check.apart import Served
from vudissect.check.outcome import Life, signal_name
from vudissect.check.program import ProgramError, last_lines
from vudissect.faults.engine import Engine
from vudissect.faults.language import read_fault
from vudissect.lint.rules.faults import RULES
from vudissect.lint.words import count_text
from vudissect.protocol.model import Side
from vudissect.proxy.within import relaying
from vudissect.scenario.model import Outcome, Scenario, Step, Tried
from vudissect.scenario.watch import Seen, Watch

_LOOK_EVERY = 0.01
_SETTLED = 0.3
_START_AGAIN_AFTER = 0.1
_MOST_TIMES = 3
# Programs that have not run for a while take longer than later.
_START = 10.0
_SECOND = 1e9
_SIDES = (Side.FRONT_END, Side.BACK_END)


class Runner:
    """Both programs, by `Side`, and what they do without a fault once `discover` has been called.

    `patience` is the number of seconds that they have to reach running rings. Captures are written to `folder`.
    """

    def __init__(
        self, programs: tuple[Served, Served], patience: float, folder: Path, warn: Callable[[str], None]
    ) -> None:
        self._programs = programs
        self._patience = patience
        self._folder = folder
        self._warn = warn
        self.steps: tuple[Step, ...] = ()
        self._wanted: frozenset[int] = frozenset()

    def discover(self) -> None:
        """Learn what a set-up is without a fault; `ProgramError` if rings do not run."""
        with self._running(self._folder / "no-fault.pcapng", (), kills=False) as run:
            seen = run.set_up(max(self._patience, _START))
        self.steps, self._wanted = tuple(seen.steps[: seen.complete]), seen.running

    def runs(self, scenario: Scenario) -> Iterator[Tried]:
        """Each run of a scenario, when it is over; `ProgramError` if a program cannot be started."""
        for point in scenario.points(self.steps):
            name = f"{scenario.name}{point.suffix}"
            capture = self._folder / f"{name}.pcapng"
            with self._running(capture, point.faults, kills=scenario.kills) as run:
                outcome, why = run.result()
                seen = run.watch.seen
                output = run.output()
            seconds = (seen.again - seen.fault) / _SECOND if outcome is Outcome.WORKS else -1.0
            yield Tried(name, point, outcome, why, seconds, _rules(capture), str(capture), output)

    @contextmanager
    def _running(self, capture: Path, faults: tuple[str, ...], *, kills: bool) -> Iterator["_Run"]:
        """Both programs with a relay between them."""
        front_end, back_end = self._programs
        engine = Engine([read_fault(text, number) for number, text in enumerate(faults, 1)])
        run = _Run(self._programs, self._patience)
        run.watch = Watch(engine, self._wanted, run.kill if kills else None)
        with ExitStack() as owned:
            for program in self._programs:
                owned.callback(program.stop)
            sides = front_end.address, back_end.address
            owned.enter_context(relaying(sides, capture, run.watch, self._warn))
            # Before the relay, so that it is not seen to lose its connection.
            owned.callback(front_end.stop)
            back_end.start()
            front_end.start()
            yield run


class _Run:
    """One run. What has ended is started again, as a service manager does."""

    watch: Watch

    def __init__(self, programs: tuple[Served, Served], patience: float) -> None:
        self._programs = programs
        self._patience = patience
        self._began = self._started = time.monotonic()
        self._written = [len(program.output()) for program in programs]
        self._killed: set[Side] = set()
        self._ended: dict[Side, float] = {}
        self._notes: dict[Side, str] = {}

    def kill(self, side: Side) -> None:
        """A fault ends this side."""
        self._killed.add(side)
        self._programs[side].kill()

    def output(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The last that each side has written in this run."""
        front_end, back_end = (
            last_lines(program.output()[earlier:])
            for program, earlier in zip(self._programs, self._written, strict=True)
        )
        return front_end, back_end

    def set_up(self, patience: float) -> Seen:
        """Wait until the rings run and nothing more happens, without a fault; `ProgramError`."""
        seen = self.watch.seen
        while not seen.running or time.monotonic() - seen.last / _SECOND < _SETTLED:
            for side in _SIDES:
                ended = self._programs[side].life()
                if ended.life is not Life.ALIVE and not seen.running:
                    raise ProgramError(self._early(side, f"the {side.label} {_how(ended.life, ended.number)}"))
            if time.monotonic() - self._began > patience:
                if seen.running:
                    break
                raise ProgramError(self._early(Side.FRONT_END, f"no ring runs within {patience:g} s"))
            time.sleep(_LOOK_EVERY)
        return seen

    def result(self) -> tuple[Outcome, str]:
        """The outcome, and why."""
        seen = self.watch.seen
        while not self._is_over(seen):
            for side in _SIDES:
                try:
                    crash = self._revive(side)
                except ProgramError as error:
                    return Outcome.CLOSED, f"the {side.label} cannot be started again: {error}"
                if crash:
                    return Outcome.CRASHED, crash
            again = seen.again
            if again and time.monotonic() - again / _SECOND >= _SETTLED:
                return Outcome.WORKS, "; ".join(self._notes.values())
            time.sleep(_LOOK_EVERY)
        outcome, why = judge(seen, self.watch.waits)
        return outcome, "; ".join((why, *self._notes.values()))

    def _is_over(self, seen: Seen) -> bool:
        """Whether it has had its time: since the last fault or start, but not for ever if these do not end."""
        now = time.monotonic()
        if not seen.fault:
            return now - self._began > self._patience
        if seen.again:
            return False
        longest = seen.first_fault / _SECOND + _MOST_TIMES * self._patience
        return now > min(max(seen.fault / _SECOND, self._started) + self._patience, longest)

    def _revive(self, side: Side) -> str:
        """Start a side again that has ended; how it has crashed, "" if it has not. `ProgramError`."""
        program = self._programs[side]
        ended = program.life()
        if ended.life is Life.ALIVE:
            return ""
        if side in self._killed:
            self._killed.discard(side)
        elif ended.life is Life.KILLED:
            words = " ".join(last_lines(program.output(), 1))
            return f"the {side.label} {_how(ended.life, ended.number)}{': ' if words else ''}{words}"
        else:
            now = time.monotonic()
            if now - self._ended.setdefault(side, now) < _START_AGAIN_AFTER:
                return ""
            if self.watch.seen.fault:
                how = _how(ended.life, ended.number)
                self._notes[side] = f"the {side.label} {how} and was started again"
        self._ended.pop(side, None)
        program.start()
        self._started = time.monotonic()
        return ""

    def _early(self, side: Side, how: str) -> str:
        words = " ".join(last_lines(self._programs[side].output(), 3)) or "it wrote nothing"
        return f"without a fault, {how}; the last words of the {side.label}: {words}"


def judge(seen: Seen, waits: str) -> tuple[Outcome, str]:
    """What came of a fault where rings do not run in time; `waits` is who waits for what."""
    if not seen.fault:
        return Outcome.NOT_INJECTED, "no message was as the fault wants it"
    waits = waits or (seen.gave_up if seen.sessions else "")
    if waits or seen.open > 0:
        return Outcome.HUNG, waits or "the connection is open, and nothing comes"
    if seen.sessions:
        return (
            Outcome.REFUSED,
            f"{count_text(seen.sessions, 'session')} without running rings; of the last, {seen.closed}",
        )
    return Outcome.CLOSED, "the front-end does not connect again"


def _how(life: Life, number: int) -> str:
    return f"was ended by {signal_name(number)}" if life is Life.KILLED else f"exited with status {number}"


def _rules(capture: Path) -> tuple[str, ...]:
    """The rules about how the peers coped that have something to report."""
    return tuple(sorted({finding.rule for finding in findings(capture, rules=RULES).findings}))
