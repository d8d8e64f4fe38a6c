"""The suite against its own reference: right, it passes every case; with the fault of a case, that case finds it."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from vudissect.check.directed import Directed
from vudissect.check.link import Clock
from vudissect.check.model import Case, Verdict
from vudissect.check.outcome import Result
from vudissect.check.runner import Options, Runner
from vudissect.host.python import python_module
from vudissect.protocol.devices import device_by_name
from vudissect.protocol.features import PROTOCOL_FEATURES

_PATIENCE = 20.0
_SOON = 0.3
_ANY = "blk"
_LESS = PROTOCOL_FEATURES.mask(
    *["RESET_DEVICE", "STATUS", "INBAND_NOTIFICATIONS", "GET_VRING_BASE_INFLIGHT", "GET_VRING_BASE_SKIP_DRAIN"]
)


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

    def __init__(self, folder: Path, device: str, without: int, options: Options) -> None:
        options = options._replace(device=device_by_name(device))
        self._fault_file = folder / f"fault-{device}-{without:x}"
        self._fault_file.write_text("")
        module = python_module("vudissect.check.reference")
        command = [*module, "{socket}", str(self._fault_file), hex(without), device, "{control}"]
        self.backend = Directed(command, _PATIENCE, Clock())
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


class References:
    """The reference as every device type that a case is for, started when it is first needed.

    A case that needs no device type is played with a disk, and one about what is not offered with fewer features.
    """

    def __init__(self, folder: Path, options: Options) -> None:
        self._folder = folder
        self._options = options
        self._made: dict[tuple[str, int], Reference] = {}

    def play(self, case: Case) -> Mutation:
        """Play a case without its fault, and with it."""
        return self.for_case(case).play(case)

    def for_case(self, case: Case) -> Reference:
        """The one that a case can be played with."""
        device = case.device or _ANY
        full = self._reference(device, 0)
        return full if full.discovered.unmet(case) is None else self._reference(device, _LESS)

    def _reference(self, device: str, without: int) -> Reference:
        if (device, without) not in self._made:
            self._made[device, without] = Reference(self._folder, device, without, self._options)
        return self._made[device, without]

    def close(self) -> None:
        """End all of them."""
        for each in self._made.values():
            each.backend.close()


@contextmanager
def references(options: Options) -> Iterator[References]:
    """The reference back-ends, ended afterwards."""
    with tempfile.TemporaryDirectory(prefix="vudissect-check-") as folder:
        made = References(Path(folder), options)
        try:
            yield made
        finally:
            made.close()


def self_test(
    cases: Iterable[Case], options: Options, progress: Callable[[Mutation], None] = lambda _: None
) -> list[Mutation]:
    """Play each case against the reference and against its mutant."""
    mutations: list[Mutation] = []
    with references(options) as every:
        for case in cases:
            mutation = every.play(case)
            mutations.append(mutation)
            progress(mutation)
    return mutations
