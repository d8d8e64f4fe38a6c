"""What a flight recorder costs: processor time of a relay that rotates its files, over that of one that does not.

Floods as in `flood`, and round trips as in `roundtrip`. Processor time varies less than time on a busy machine.
"""

from collections.abc import Callable
from os import fspath, sysconf
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.flood import flood, peak_memory
from benchmarks.messages import acknowledgement, reply, request
from benchmarks.programs import CAPTURE, Relay, converse, installed, relaying, vuproxy
from benchmarks.table import Row, compared, in_turns, mebibytes

ROUNDS = 7
SIZE, FILES = 8_000_000, 8
BURSTS = 20_000
LONG_BURSTS = 312_500  # ten million messages
BURST = 32
ROUND_TRIPS = 20_000
TARGET = "at most 1.05"

_TICKS = sysconf("SC_CLK_TCK")

Conversation = tuple[tuple[str, bytes], tuple[str, *tuple[bytes | int, ...]]]


def run() -> list[Row]:
    kick = request("SET_VRING_ENABLE", need_reply=True, index=1, num=1)
    bursts: Conversation = (
        ("sink", reply("GET_QUEUE_NUM")),
        ("burst", request("SET_VRING_NUM", num=256), request("GET_QUEUE_NUM"), BURSTS, BURST),
    )
    trips: Conversation = (("echo", acknowledgement("SET_VRING_ENABLE")), ("ping", kick, ROUND_TRIPS, 0))
    costs = [_compared("flood", bursts, BURSTS * BURST), _compared("round trip", trips, 2 * ROUND_TRIPS)]
    return costs + _memory_and_size()


def _memory_and_size() -> list[Row]:
    """A longer flood: peak memory after a quarter and at the end, and what the files take."""
    with TemporaryDirectory() as folder:
        front, back = Path(folder, "front.sock"), Path(folder, "back.sock")
        with relaying(flight_recorder, front, back) as process:
            flood(front, back, LONG_BURSTS // 4)
            early = peak_memory(process)
            flood(front, back, LONG_BURSTS * 3 // 4)
            late = peak_memory(process)
            process.terminate()
            process.finish()
        sizes = [path.stat().st_size for path in Path(folder).glob("*.pcapng")]
    return [
        Row(
            "peak memory at the end", mebibytes(late), f"at a quarter {mebibytes(early)}", f"{late / early:.2f}", "flat"
        ),
        Row("largest file", f"{max(sizes):,}", f"limit {SIZE:,}", target="at most"),
        Row("all files", f"{sum(sizes):,}", f"limit {FILES * SIZE:,}", target="at most"),
    ]


def flight_recorder(front: Path, back: Path) -> list[str]:
    """vuproxy, recording to rotated files in the folder of the sockets."""
    capture = fspath(front.with_name(CAPTURE))
    command = [installed("vuproxy"), "--listen", fspath(front), "--connect", fspath(back), "-q", "-w", capture]
    return [*command, "-b", f"filesize:{SIZE // 1000}", "-b", f"files:{FILES}"]


def _compared(what: str, conversation: Conversation, messages: int) -> Row:
    def measure(relay: Relay) -> Callable[[], float]:
        return lambda: _seconds(relay, conversation) / messages

    times = in_turns(ROUNDS, {"one file": measure(vuproxy), "rotated": measure(flight_recorder)})
    name = f"processor time per message, {what}"
    return compared(name, _nanoseconds, ("rotated", times["rotated"]), ("one file", times["one file"]), TARGET)


def _seconds(relay: Relay, conversation: Conversation) -> float:
    """Processor time of a relay during a conversation."""
    back_end, front_end = conversation
    with TemporaryDirectory() as folder:
        front, back = Path(folder, "front.sock"), Path(folder, "back.sock")
        with relaying(relay, front, back) as process:
            before = _used(process.pid)
            converse(front, back, back_end, front_end)
            return _used(process.pid) - before


def _used(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _nanoseconds(seconds: float) -> str:
    return f"{seconds * 1e9:,.0f} ns"
