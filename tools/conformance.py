"""Runs the conformance suite against real programs.

    python -m tools.conformance [NAME...]              writes docs/conformance/ again; without names for all of them
    python -m tools.conformance --pages                writes only the pages, from the results that are there
    python -m tools.conformance --deaths [NAME...]     plays each case in which a program died, alone
    python -m tools.conformance --runs N [NAME...]     plays the suite N times, and prints verdicts that change

tests/peers/checked.py has the programs. Exit status: 0, 1 if one cannot be checked, lives where it died, or a verdict
changes, 2 for an unknown name.
"""

import argparse
import gzip
import json
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.peers.checked import CHECKED, Checked, check
from tests.peers.processes import PeerError
from vudissect.check.expectation import Known, read_expectation
from vudissect.check.model import Verdict
from vudissect.check.results import Results, read_results
from vudissect.protocol.model import Side
from vudissect.report.markdown import failures_markdown, matrix_markdown, plain
from vudissect.report.matrix import matrix_page, peers_of
from vudissect.report.verdicts import MEANINGS, SIGNS

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "conformance"
# Where the published commands were run, whatever the folder was called.
_ANYWHERE = "/tmp/check"
# How often a case is played that kills a program only sometimes.
_TRIES = 10
_DETAILS = ("transcript", "findings", "last_words")

_INTRODUCTION = """# Results of the conformance suite

What `vudissect check` finds in back-ends and front-ends that Debian has. `make conformance` plays all cases with each
of them and writes this folder: this page; a page for each program, where each failure has a text that can be filed as
it is; the matrices as pages that can be filtered, [matrix.html](matrix.html) and
[front-ends.html](front-ends.html); the known results for `--expect`, in `expect/`; and in `results/` the results as
JSON, with transcripts of failures. This puts them beside your own, with a page for each
case:

    vudissect check matrix docs/conformance/results/*.json.gz mine.json --html pages

[../conformance.md](../conformance.md) describes the suite, and [../conformance-cases.md](../conformance-cases.md) the
cases. The commands run in `/tmp/check`, where there are a disk (`truncate -s 16M disk.img`), a folder (`mkdir
shared`) and the scripts of [start/](start).
"""


def results_file(checked: Checked) -> Path:
    """Where its results are."""
    return FOLDER / "results" / f"{checked.key}.json.gz"


def expect_file(checked: Checked) -> Path:
    """Where its known results are."""
    return FOLDER / "expect" / f"{checked.key}.json"


def publish(checked: Checked) -> str:
    """Check a program and write its files; its summary. `PeerError` if it cannot be checked."""
    with tempfile.TemporaryDirectory(prefix="vudissect-conformance-") as created:
        folder = Path(created).resolve()
        known = expect_file(checked)
        before = ("--expect", str(known)) if known.exists() else ()
        done = check(checked, folder, ("--json", "results", "--write-expect", "known", *before))
        if not (folder / "results").exists():
            raise PeerError(done.stderr.strip() or "the suite wrote nothing")
        # QEMU writes who ended it.
        text = (folder / "results").read_text().replace(str(folder), _ANYWHERE).replace(sys.executable, "python")
        document = published(json.loads(text), checked.release.within)
        (FOLDER / "results").mkdir(parents=True, exist_ok=True)
        results_file(checked).write_bytes(packed(document))
        known.write_text((folder / "known").read_text())
    return str(document["summary"])


def published(document: dict[str, Any], within: Sequence[str]) -> dict[str, Any]:
    """Results without `within`, which is only needed on this machine, and without the details of what does not fail."""
    prefix = f"{shlex.join(within)} " if within else ""
    cases = [
        case
        | {"run_again": case["run_again"].replace(prefix, "")}
        | ({} if Verdict(case["verdict"]).is_failure() else {"deviation": 0} | {key: [] for key in _DETAILS})
        for case in document["cases"]
    ]
    return document | {"command": document["command"][len(within) :], "cases": cases}


def packed(document: dict[str, Any]) -> bytes:
    """A file of results; the same document makes the same file."""
    return gzip.compress(json.dumps(document, indent=1).encode(), mtime=0)


def pages(every: dict[str, Results]) -> Iterator[tuple[str, str]]:
    """The pages about these results, which are given by the names of their files."""
    yield "README.md", "\n".join(_overview(every))
    yield "matrix.html", matrix_page(peers_of(list(_of(Side.BACK_END, every).values())))
    yield "front-ends.html", matrix_page(peers_of(list(_of(Side.FRONT_END, every).values())))
    for key, results in every.items():
        yield f"{key}.md", "\n".join(failures_markdown(results))


def _of(side: Side, every: dict[str, Results]) -> dict[str, Results]:
    return {key: results for key, results in every.items() if results.role == side.label}


def _overview(every: dict[str, Results]) -> Iterator[str]:
    yield _INTRODUCTION
    for side in (Side.BACK_END, Side.FRONT_END):
        yield f"| {side.label} | device | date | result |\n|---|---|---|---|"
        for key, results in _of(side, every).items():
            yield f"| [{plain(results.title)}]({key}.md) | {results.device} | {results.began[:10]} | {results.tally} |"
        yield ""
    yield "## All cases\n"
    yield "\n".join(f"* {SIGNS[verdict]} {verdict}: {meaning}" for verdict, meaning in MEANINGS.items())
    for side in (Side.BACK_END, Side.FRONT_END):
        yield f"\n### {side.label.capitalize()}s\n"
        yield from matrix_markdown(peers_of(list(_of(side, every).values())))
    yield ""


def read_all() -> dict[str, Results]:
    """The results that are there, in the order of the table."""
    files = {checked.key: results_file(checked) for checked in CHECKED}
    return {
        key: read_results(gzip.decompress(file.read_bytes()).decode()) for key, file in files.items() if file.exists()
    }


def verdicts(checked: Checked, *options: str) -> dict[str, str]:
    """The verdict of each case in one run; `PeerError` if the program cannot be checked."""
    with tempfile.TemporaryDirectory(prefix="vudissect-conformance-") as created:
        folder = Path(created).resolve()
        done = check(checked, folder, ("--write-expect", "known", *options))
        if not (folder / "known").exists():
            raise PeerError(done.stderr.strip() or "the suite wrote nothing")
        known: dict[str, str] = json.loads((folder / "known").read_text())["cases"]
        return known


def dies_again(checked: Checked) -> bool:
    """Play each case alone in which the program died; whether it does that again in all of them.

    A case that is known to have several verdicts is a race, or corrupts memory: it is played several times, and the
    program may live.
    """
    results = read_all().get(checked.key)
    deaths = [case.id for case in results.cases if case.verdict is Verdict.CRASH] if results is not None else []
    varies = {case for case, known in _known(checked).items() if len(known) > 1}
    lives = [case for case in deaths if not _dies(checked, case, _TRIES if case in varies else 1)]
    print(f"{checked.key}: {len(deaths)} deaths, {len(deaths) - len(lives)} of them again when played alone")
    for case in lives:
        print(f"  {case}: it lives{f', {_TRIES} times; it is known to die only sometimes' if case in varies else ''}")
    return varies.issuperset(lives)


def _known(checked: Checked) -> Known:
    file = expect_file(checked)
    return read_expectation(file.read_text()) if file.exists() else {}


def _dies(checked: Checked, case: str, times: int) -> bool:
    return any(verdicts(checked, "--only", case)[case] == Verdict.CRASH for _ in range(times))


def repeat(checked: Checked, runs: int) -> bool:
    """Play the suite several times; whether all runs have the same verdicts."""
    seen: dict[str, Counter[str]] = {}
    began = time.monotonic()
    for _ in range(runs):
        for case, verdict in verdicts(checked).items():
            seen.setdefault(case, Counter())[verdict] += 1
    each = (time.monotonic() - began) / runs
    changing = {case: counts for case, counts in seen.items() if counts.most_common(1)[0][1] < runs}
    print(f"{checked.key}: {runs} runs of {len(seen)} cases, {each:.1f} s each: {len(changing)} verdicts change")
    for case, counts in changing.items():
        print(f"  {case}: {', '.join(f'{count} {verdict}' for verdict, count in counts.most_common())}")
    return not changing


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=0, metavar="N", help="play the suite N times, and write nothing")
    parser.add_argument("--deaths", action="store_true", help="play each case alone in which a program died")
    parser.add_argument("--pages", action="store_true", help="only write the pages, from the results that are there")
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *(each.key for each in CHECKED)])
    given = parser.parse_args(arguments)
    status = 0
    for checked in () if given.pages else CHECKED:
        if given.names and checked.key not in given.names:
            continue
        try:
            if given.runs:
                status |= not repeat(checked, given.runs)
            elif given.deaths:
                status |= not dies_again(checked)
            else:
                print(publish(checked), flush=True)
        except PeerError as error:
            print(f"{checked.key}: {error}", file=sys.stderr)
            status = 1
    if not given.runs and not given.deaths:
        for name, text in pages(read_all()):
            (FOLDER / name).write_text(text)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
