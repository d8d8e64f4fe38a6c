"""How long the commands take when they have almost nothing to do."""

import sys
from collections.abc import Callable

from benchmarks.programs import installed, spent
from benchmarks.table import Row, compared, in_turns, milliseconds
from benchmarks.traffic import capture

ROUNDS = 15
MESSAGES = 40


def run() -> list[Row]:
    vudissect = installed("vudissect")
    file = str(capture(MESSAGES))
    help_, click = "vudissect --help", 'python -c "import click"'
    ours, theirs = f"show, {MESSAGES} messages", "tshark -r"
    results = in_turns(
        ROUNDS,
        {
            help_: _seconds(vudissect, "--help"),
            click: _seconds(sys.executable, "-c", "import click"),
            ours: _seconds(vudissect, "show", file),
            theirs: _seconds("tshark", "-r", file),
        },
    )
    return [
        compared("start-up", milliseconds, (help_, results[help_]), (click, results[click]), "under 2"),
        compared("start-up", milliseconds, (ours, results[ours]), (theirs, results[theirs]), "under 1"),
    ]


def _seconds(*command: str) -> Callable[[], float]:
    return lambda: spent(*command).seconds
