"""Reading a capture of a million messages, to text and to JSON, and what tshark does with the same file."""

from collections.abc import Callable

from benchmarks.programs import Spent, installed, spent
from benchmarks.table import Row, compared, in_turns, mebibytes, per_second
from benchmarks.traffic import capture

ROUNDS = 2
MESSAGES = 1_000_000
# With -V tshark takes minutes for all of them; its rate does not depend on how many there are.
DETAILED = 100_000


def run() -> list[Row]:
    file = str(capture(MESSAGES))
    vudissect = installed("vudissect")
    measures: dict[str, Callable[[], Spent]] = {
        "show": lambda: spent(vudissect, "show", file),
        "show --json": lambda: spent(vudissect, "show", "--json", file),
        "show --no-findings": lambda: spent(vudissect, "show", "--no-findings", file),
        "show --no-findings --json": lambda: spent(vudissect, "show", "--no-findings", "--json", file),
        "lint": lambda: spent(vudissect, "lint", file),
        "tshark": lambda: spent("tshark", "-r", file),
        f"tshark -V -c {DETAILED}": lambda: spent("tshark", "-V", "-c", str(DETAILED), "-r", file),
    }
    *_, plain, detailed = measures
    results = in_turns(ROUNDS, measures)

    def rates(name: str) -> tuple[str, list[float]]:
        messages = DETAILED if name == detailed else MESSAGES
        return name, [messages / result.seconds for result in results[name]]

    def memory(name: str) -> tuple[str, list[float]]:
        return name, [float(result.memory) for result in results[name]]

    return [
        compared("messages read", per_second, rates("show"), rates(plain), "at least 150,000/s"),
        compared("messages read", per_second, rates("show"), rates(detailed)),
        compared("messages read", per_second, rates("show --json"), rates(plain), "at least 100,000/s"),
        compared("messages read", per_second, rates("show --json"), rates(detailed)),
        compared("messages read", per_second, rates("show --no-findings"), rates(plain), "at least 150,000/s"),
        compared("messages read", per_second, rates("show --no-findings --json"), rates(plain), "at least 100,000/s"),
        compared("messages read", per_second, rates("lint"), rates(plain), "at least 120,000/s"),
        compared("most memory", mebibytes, memory("show"), memory(plain), "under 100 MiB"),
        compared("most memory", mebibytes, memory("show --json"), memory(plain), "under 100 MiB"),
        compared("most memory", mebibytes, memory("lint"), memory(plain), "under 100 MiB"),
    ]
