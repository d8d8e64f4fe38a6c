"""The suite against its own reference: right, it passes every case; with the fault of a case, that case finds it."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from vudissect.check.link import Clock
from vudissect.check.model import Case, Verdict
from vudissect.check.outcome import Result
from vudissect.check.program import Started
from vudissect.check.runner import Options, Runner
from vudissect.host.python import python_module
from vudissect.protocol.features import PROTOCOL_FEATURES

_PATIENCE = 20.0
_SOON = 0.3
_LESS = PROTOCOL_FEATURES.mask(*["RESET_DEVICE", "STATUS"])


class Mutation(NamedTuple):
    """A case against the reference, and against the reference with the fault of this case."""

    case: Case
    right: Result
    mutant: Result

    @property
    def passes(self) -> bool:
        """Whether the reference passes, and our side breaks only the rules that the case declares."""
        return self.right.verdict in (Verdict.PASS, Verdict.INFORMATIONAL) and not self.right.ours

    @property
    def caught(self) -> bool:
        """Whether the fault is found."""
        return self.mutant.verdict.severity > self.right.verdict.severity


class Reference:
    """The reference back-end as a process, and a runner for it."""

    def __init__(self, folder: Path, without: int, options: Options) -> None:
        self._fault_file = folder / f"fault-{without:x}"
        self._fault_file.write_text("")
        command = [*python_module("vudissect.check.reference"), "{socket}", str(self._fault_file), hex(without)]
        self.backend = Started(command, _PATIENCE, Clock())
        self._right = Runner(self.backend, options)
        try:
            self.discovered = self._right.discover()
        except BaseException:
            self.backend.close()
            raise
        # Some faults are that nothing comes.
        hasty = options._replace(timeout=min(options.timeout, _SOON))
        self._mutant = Runner(self.backend, hasty, self.discovered)

    def play(self, case: Case) -> Mutation:
        """Play a case without its fault, and with it."""
        right = self._right.run_one(case)
        self._fault_file.write_text(case.id)
        try:
            return Mutation(case, right, self._mutant.run_one(case))
        finally:
            self._fault_file.write_text("")


@contextmanager
def references(options: Options) -> Iterator[tuple[Reference, ...]]:
    """The reference with all its features, and with fewer, for cases about what is not offered."""
    with tempfile.TemporaryDirectory(prefix="vudissect-check-") as folder:
        made: list[Reference] = []
        try:
            for without in (0, _LESS):
                made.append(Reference(Path(folder), without, options))
            yield tuple(made)
        finally:
            for each in made:
                each.backend.close()


def self_test(
    cases: Iterable[Case], options: Options, progress: Callable[[Mutation], None] = lambda _: None
) -> list[Mutation]:
    """Play each case against the reference and against its mutant."""
    mutations: list[Mutation] = []
    with references(options) as (full, less):
        for case in cases:
            reference = full if full.discovered.unmet(case) is None else less
            mutation = reference.play(case)
            mutations.append(mutation)
            progress(mutation)
    return mutations
