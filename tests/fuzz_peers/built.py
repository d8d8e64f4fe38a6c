"""Builds back-ends in C, with and without coverage."""

import subprocess
from pathlib import Path

from vudissect.fuzz.coverage import RUNTIME

CHAIN = Path(__file__).with_name("chain.c")
HARNESS = Path(__file__).parents[2] / "docs" / "fuzzing" / "harness.c"
WITH_COVERAGE = "-fsanitize-coverage=trace-pc"


def built(to: Path, *flags: str, others: tuple[Path, ...] = ()) -> Path:
    """The back-end, compiled with `flags`, and linked with the runtime and `others`, which have no coverage."""
    compiled = to.with_suffix(".o")
    _gcc(*flags, "-c", "-o", str(compiled), str(CHAIN))
    _gcc(*(flag for flag in flags if flag != WITH_COVERAGE), "-o", str(to), *map(str, (compiled, RUNTIME, *others)))
    return to


def _gcc(*words: str) -> None:
    subprocess.run(["gcc", "-Wall", "-Werror", "-fPIC", *words], check=True)
