"""Several programs at once, which share the cases; and one, which needs no threads."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from vudissect.check.model import Case
from vudissect.check.outcome import Result
from vudissect.check.program import ProgramError
from vudissect.check.runner import ProgramLostError
from vudissect.host.threads import run_together

Progress = Callable[[Result], None]


class CaseRunner(Protocol):
    """What plays cases with one program."""

    def play(self, case: Case) -> Result:
        """Play a case; `ProgramError` if that is not possible any more."""


class Workers:
    """Runs cases; `results` has those that are done, also after an interruption."""

    def __init__(self, runners: Sequence[CaseRunner], cases: Iterable[Case], progress: Progress) -> None:
        self.results: list[Result] = []
        self.error: ProgramError | None = None
        self._runners = runners
        self._cases = list(cases)
        self._left = deque(self._cases)
        self._progress = progress
        self._lock = threading.Lock()

    def run(self) -> None:
        """Play all cases. An exception from outside ends it early, and no thread is left then."""
        if len(self._runners) == 1:
            self._work(self._runners[0])
            return
        run_together([partial(self._work, runner) for runner in self._runners], self._left.clear)

    def _work(self, runner: CaseRunner) -> None:
        while (case := self._next()) is not None:
            try:
                self._note(runner.play(case))
            except ProgramLostError as lost:
                self._note(lost.result)
                self._stop(lost)
            except ProgramError as error:
                self._stop(error)

    def _next(self) -> Case | None:
        try:
            return self._left.popleft()
        except IndexError:
            return None

    def _note(self, result: Result) -> None:
        with self._lock:
            self.results.append(result)
            self._progress(result)

    def _stop(self, error: ProgramError) -> None:
        self.error = error
        self._left.clear()

    def in_order(self) -> list[Result]:
        """The results in the order of the cases."""
        order = {case.id: number for number, case in enumerate(self._cases)}
        return sorted(self.results, key=lambda result: order[result.case.id])
