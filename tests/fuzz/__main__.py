"""`python -m tests.fuzz`: many mutants on all cores, or one of them again."""

import argparse
import os
import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz import mutate
from tests.fuzz.views import Result, check

_MOST_MEMORY = 2 << 30
_AT_ONCE = 50
_MOST_SHOWN = 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="how many mutants")
    parser.add_argument("--first", type=int, default=0, help="the number of the first one")
    parser.add_argument("--seed", type=int, help="only the mutant of this number")
    parser.add_argument("--keep", type=Path, help="write the mutant of --seed to this file")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many processes")
    options = parser.parse_args()
    if options.seed is not None:
        if options.keep is not None:
            options.keep.write_bytes(mutate.capture(options.seed))
        options.first, options.count, options.jobs = options.seed, 1, 1
    start = time.monotonic()
    failures, slowest = 0, Result(-1, 0.0, "", ())
    for done, result in enumerate(_results(options.first, options.count, options.jobs), 1):
        slowest = max(slowest, result, key=lambda each: each.slowest)
        for failure in result.failures:
            failures += 1
            if failures <= _MOST_SHOWN:
                print(f"\rmutant {failure.seed}, {failure.view}: {failure.text}", flush=True)
        if sys.stderr.isatty() and done % _AT_ONCE == 0:
            rate = done / (time.monotonic() - start)
            left = (options.count - done) / rate
            print(f"\r{done} of {options.count}, {failures} failures, {left:.0f} s left ", end="", file=sys.stderr)
    seconds = time.monotonic() - start
    worst = f"the slowest is {slowest.seed}, {slowest.view}: {slowest.slowest:.2f} s"
    print(f"\r{options.count} mutants, {failures} failures, {seconds:.0f} s; {worst}")
    return 1 if failures else 0


def _results(first: int, count: int, jobs: int) -> Iterator[Result]:
    starts = range(first, first + count, _AT_ONCE)
    with ProcessPoolExecutor(jobs, initializer=_limit) as pool:
        for results in pool.map(_some, starts, (min(start + _AT_ONCE, first + count) for start in starts)):
            yield from results


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))


def _some(start: int, end: int) -> list[Result]:
    with TemporaryDirectory(prefix="vudissect-", dir="/dev/shm") as folder:
        return [check(seed, Path(folder)) for seed in range(start, end)]


if __name__ == "__main__":
    sys.exit(main())
