"""Reads a capture of a million messages to text, to JSON and for findings only, compared with tshark.

Without the plugin, tshark only shows that a message is an exported PDU of some length, with -V also its bytes.
"""

from collections.abc import Callable
from functools import partial

from benchmarks.programs import Spent, installed, spent
from benchmarks.table import Row, compared, in_turns, mebibytes, per_second
from benchmarks.traffic import capture

ROUNDS = 3
MESSAGES = 1_000_000
# tshark -V is slow, but its rate does not depend on the number of messages.
DETAILED = 100_000

# The commands with their targets.
OURS = {
    "show": "at least 150,000/s",
    "show --json": "at least 100,000/s",
    "show --no-findings": "at least 150,000/s",
    "show --no-findings --json": "at least 100,000/s",
    "lint": "at least 120,000/s",
    "summary": "at least 100,000/s",
    "times": "at least 100,000/s",
}
PLAIN, BYTES = "tshark", f"tshark -V -c {DETAILED}"


def run() -> list[Row]:
    file = str(capture(MESSAGES))
    commands = {name: [installed("vudissect"), *name.split(), file] for name in OURS}
    commands |= {name: [*name.split(), "-r", file] for name in (PLAIN, BYTES)}
    measures: dict[str, Callable[[], Spent]] = {name: partial(spent, *command) for name, command in commands.items()}
    results = in_turns(ROUNDS, measures)

    def rates(name: str) -> tuple[str, list[float]]:
        messages = DETAILED if name == BYTES else MESSAGES
        return name, [messages / result.seconds for result in results[name]]

    def memory(name: str) -> tuple[str, list[float]]:
        return name, [float(result.memory) for result in results[name]]

    rows = []
    for name, target in OURS.items():
        rows.append(compared("messages read", per_second, rates(name), rates(PLAIN), target))
        rows.append(compared("messages read", per_second, rates(name), rates(BYTES)))
    rows += [compared("peak memory", mebibytes, memory(name), memory(PLAIN), "under 100 MiB") for name in OURS]
    return rows
