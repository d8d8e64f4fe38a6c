"""Exports a capture of a million messages to Parquet, compared with `vudissect lint`, and asks DuckDB a question."""

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.programs import BUILD, Spent, installed, spent
from benchmarks.table import Row, compared, in_turns, mebibytes, per_second, seconds
from benchmarks.traffic import capture

ROUNDS = 3
MESSAGES = 1_000_000
QUESTION = """
    SELECT message, count(*), percentile_disc(0.99) WITHIN GROUP (ORDER BY latency_ns)
    FROM messages JOIN sessions USING (file, connection) GROUP BY message
"""


def run() -> list[Row]:
    file, tables = capture(MESSAGES), BUILD / "tables"
    vudissect = installed("vudissect")

    def export() -> Spent:
        shutil.rmtree(tables, ignore_errors=True)
        return spent(vudissect, "export", str(file), "-o", str(tables))

    measures: dict[str, Callable[[], Spent]] = {
        "export": export,
        "lint": partial(spent, vudissect, "lint", str(file)),
        "query": partial(spent, vudissect, "query", QUESTION, str(tables)),
    }
    results = in_turns(ROUNDS, measures)
    rates = {name: [MESSAGES / result.seconds for result in results[name]] for name in measures}
    memory = {name: [float(result.memory) for result in results[name]] for name in measures}
    taken = {name: [result.seconds for result in results[name]] for name in measures}
    size, written = file.stat().st_size, _size(tables)
    return [
        compared("messages", per_second, ("export", rates["export"]), ("lint", rates["lint"]), "at least 100,000/s"),
        compared("peak memory", mebibytes, ("export", memory["export"]), ("lint", memory["lint"]), "under 300 MiB"),
        compared("a question", seconds, ("query", taken["query"]), ("export", taken["export"]), "seconds"),
        Row("size", f"tables {written:,}", f"capture {size:,}", f"{written / size:.3f}", "at most 0.1"),
    ]


def _size(folder: Path) -> int:
    return sum(os.path.getsize(path) for path in folder.rglob("*") if path.is_file())
