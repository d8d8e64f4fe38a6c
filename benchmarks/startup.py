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
    theirs = "tshark -r"
    show, lint = (f"{command}, {MESSAGES} messages" for command in ("show", "lint"))
    results = in_turns(
        ROUNDS,
        {
            help_: _seconds(vudissect, "--help"),
            click: _seconds(sys.executable, "-c", "import click"),
            show: _seconds(vudissect, "show", file),
            lint: _seconds(vudissect, "lint", file),
            theirs: _seconds("tshark", "-r", file),
        },
    )
    return [
        compared("start-up", milliseconds, (help_, results[help_]), (click, results[click]), "under 2"),
        compared("start-up", milliseconds, (show, results[show]), (theirs, results[theirs]), "under 1"),
        compared("start-up", milliseconds, (lint, results[lint]), (theirs, results[theirs]), "under 1"),
    ]


def _seconds(*command: str) -> Callable[[], float]:
    return lambda: spent(*command).seconds
