"""The cases for front-ends against the reference front-end, as it is and with the fault of each case."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vudissect.check.front_end.runner import FrontEndRunner
from vudissect.check.link import Clock
from vudissect.check.model import Case
from vudissect.check.program import Dialling
from vudissect.check.runner import Options
from vudissect.check.selftest import Mutation
from vudissect.host.python import python_module
from vudissect.protocol.devices.storage import BLK

_PATIENCE = 20.0
# The reference waits for 1.2 s before it gives up; its faults need not be waited for as long.
_LEAST, _ENOUGH = 3.0, 1.0


class FrontEndReference:
    """The reference front-end as a program, and a runner for it."""

    def __init__(self, folder: Path, options: Options) -> None:
        self._fault_file = folder / "fault"
        self._fault_file.write_text("")
        command = [*python_module("vudissect.check.front_end.reference"), "{socket}", str(self._fault_file)]
        self.program = Dialling(command, _PATIENCE, Clock())
        patient = options._replace(device=BLK, timeout=max(options.timeout, _LEAST), repeat=1)
        self.runner = FrontEndRunner(self.program, patient)
        try:
            self.runner.discover()
        except BaseException:
            self.program.close()
            raise
        hasty = patient._replace(timeout=_ENOUGH)
        self._mutant = FrontEndRunner(self.program, hasty, self.runner.discovered, self.runner.normal)

    def play(self, case: Case) -> Mutation:
        """Play a case without its fault, and with it."""
        right = self.runner.run_one(case)
        self._fault_file.write_text(case.id)
        try:
            return Mutation(case, right, self._mutant.run_one(case))
        finally:
            self._fault_file.write_text("")


@contextmanager
def front_end_reference(options: Options) -> Iterator[FrontEndReference]:
    """The reference front-end, ended afterwards."""
    with tempfile.TemporaryDirectory(prefix="vudissect-check-") as folder:
        reference = FrontEndReference(Path(folder), options)
        try:
            yield reference
        finally:
            reference.program.close()


def self_test_front_end(
    cases: Iterable[Case], options: Options, progress: Callable[[Mutation], None] = lambda _: None
) -> list[Mutation]:
    """Play each case against the reference front-end and against its mutant."""
    mutations: list[Mutation] = []
    with front_end_reference(options) as reference:
        for case in cases:
            mutations.append(reference.play(case))
            progress(mutations[-1])
    return mutations
