"""How long the conformance suite takes with a real back-end, and how much of that is its own work."""

import json
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.table import Row, compared, in_turns, seconds
from tests.peers.checked import BACK_ENDS, check
from vudissect.check.model import Verdict

ROUNDS = 3
_CASES = 200
_PEER = BACK_ENDS[0]


class _Run(NamedTuple):
    """Seconds for 200 cases that are played: in all, for the back-end, and of processor time for the suite."""

    whole: float
    theirs: float
    ours: float


def run() -> list[Row]:
    (runs,) = in_turns(ROUNDS, {_PEER.key: _measure}).values()
    whole = (_PEER.name, [each.whole for each in runs])
    return [
        Row(f"{_CASES} cases", f"{whole[0]} {seconds(min(whole[1]))} to {max(whole[1]):.2f} s", "", "", "under 60 s"),
        compared("the suite's processor time", seconds, ("suite", [each.ours for each in runs]), whole),
        compared("starting and waiting", seconds, ("back-end", [each.theirs for each in runs]), whole),
    ]


def _measure() -> _Run:
    with tempfile.TemporaryDirectory(prefix="vudissect-bench-") as created:
        folder = Path(created).resolve()
        check(_PEER, folder, ("--json", "results"))
        results = json.loads((folder / "results").read_text())
    left_out = (Verdict.SKIP, Verdict.UNIMPLEMENTED)
    share = _CASES / sum(case["verdict"] not in left_out for case in results["cases"])
    theirs = results["starting"] + results["waiting"]
    return _Run(results["seconds"] * share, theirs * share, results["working"] * share)
