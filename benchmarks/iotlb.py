"""QEMU with a virtual IOMMU sends packets to DPDK, each from a buffer whose address the back-end must look up.

The C relay does not relay the back-end channel, so the look-ups bypass it: the comparison favours the C relay. The rate
also depends on how the scheduler wakes four busy threads on the available cores, so the direct connection is measured,
too.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.programs import compiled
from benchmarks.table import Row, compared, in_turns, per_second
from tests.peers.processes import running, wait_for_listener
from tests.peers.proxy import recorded
from tests.peers.situations.network import Iommu

ROUNDS = 5
PACKETS = 10_000


def run() -> list[Row]:
    rates = in_turns(ROUNDS, {"direct": _rate(_nothing), "C relay": _rate(_c_relay), "vuproxy": _rate(recorded)})
    ours = ("vuproxy", rates["vuproxy"])
    return [
        compared("packets", per_second, ours, ("C relay", rates["C relay"]), "at least 0.9"),
        compared("packets", per_second, ours, ("direct", rates["direct"])),
    ]


def _rate(between: Callable[..., AbstractContextManager[object]]) -> Callable[[], float]:
    def measure() -> float:
        with TemporaryDirectory() as folder:
            flood = Iommu(packets=PACKETS).run(Path(folder), partial(between, Path(folder, "iommu.pcapng")))
        return flood.sent / flood.seconds

    return measure


@contextmanager
def _nothing(capture: Path, *, front_end: str, back_end: str) -> Iterator[None]:
    (capture.parent / _path(front_end)).symlink_to(_path(back_end))
    yield


@contextmanager
def _c_relay(capture: Path, *, front_end: str, back_end: str) -> Iterator[None]:
    front, back = _path(front_end), _path(back_end)
    with running("relay", [compiled("relay"), front, back], capture.parent) as process:
        wait_for_listener(front, process)
        yield


def _path(address: str) -> str:
    return address.partition(":")[2]
