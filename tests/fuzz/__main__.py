"""`python -m tests.fuzz`: try many mutants on all cores, or repeat one of them."""

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

_MAX_MEMORY = 2 << 30
_BATCH = 50
_MAX_SHOWN = 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="number of mutants")
    parser.add_argument("--first", type=int, default=0, help="seed of the first mutant")
    parser.add_argument("--seed", type=int, help="only try the mutant with this seed")
    parser.add_argument("--keep", type=Path, help="write the mutant of --seed to this file")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="number of processes")
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
            if failures <= _MAX_SHOWN:
                print(f"\rmutant {failure.seed}, {failure.view}: {failure.text}", flush=True)
        if sys.stderr.isatty() and done % _BATCH == 0:
            rate = done / (time.monotonic() - start)
            left = (options.count - done) / rate
            print(f"\r{done} of {options.count}, {failures} failures, {left:.0f} s left ", end="", file=sys.stderr)
    seconds = time.monotonic() - start
    worst = f"slowest: mutant {slowest.seed}, {slowest.view}: {slowest.slowest:.2f} s"
    print(f"\r{options.count} mutants, {failures} failures, {seconds:.0f} s; {worst}")
    return 1 if failures else 0


def _results(first: int, count: int, jobs: int) -> Iterator[Result]:
    starts = range(first, first + count, _BATCH)
    with ProcessPoolExecutor(jobs, initializer=_limit) as pool:
        for results in pool.map(_some, starts, (min(start + _BATCH, first + count) for start in starts)):
            yield from results


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY, _MAX_MEMORY))


def _some(start: int, end: int) -> list[Result]:
    with TemporaryDirectory(prefix="vudissect-", dir="/dev/shm") as folder:
        return [check(seed, Path(folder)) for seed in range(start, end)]


if __name__ == "__main__":
    sys.exit(main())
