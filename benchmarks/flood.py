"""Messages of 20 bytes in bursts of 32, as fast as the relay accepts them while it records; then losses and memory.

The number of messages that arrived is requested at the end, so nothing waits for a reply in between.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.messages import reply, request
from benchmarks.programs import CAPTURE, PEERS_CORE, RELAY_CORE, Relay, c_relay, converse, relaying, vuproxy
from benchmarks.table import Row, compared, in_turns, mebibytes, per_second
from tests.peers.processes import Process
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.capture.record import RecordKind

ROUNDS = 5
BURSTS = 20_000
BURST = 32
LONG_BURSTS = 100_000


def run() -> list[Row]:
    return [
        _compared("messages relayed", RELAY_CORE, "at least 0.5"),
        _compared("messages relayed, one core", PEERS_CORE, "at least 0.7"),
        *_losses_and_memory(),
    ]


def _compared(what: str, core: int, target: str) -> Row:
    rates = in_turns(ROUNDS, {"C relay": lambda: _rate(c_relay, core), "vuproxy": lambda: _rate(vuproxy, core)})
    return compared(what, per_second, ("vuproxy", rates["vuproxy"]), ("C relay", rates["C relay"]), target)


def _rate(relay: Relay, core: int) -> float:
    with TemporaryDirectory() as folder:
        front, back = Path(folder, "front.sock"), Path(folder, "back.sock")
        with relaying(relay, front, back, core):
            return float(flood(front, back, BURSTS)["rate"])


def _losses_and_memory() -> list[Row]:
    """A longer flood through vuproxy in two parts: losses, and peak memory after a quarter and at the end."""
    with TemporaryDirectory() as folder:
        front, back = Path(folder, "front.sock"), Path(folder, "back.sock")
        with relaying(vuproxy, front, back) as process:
            parts = [flood(front, back, LONG_BURSTS // 4)]
            early = peak_memory(process)
            parts.append(flood(front, back, LONG_BURSTS * 3 // 4))
            late = peak_memory(process)
            process.terminate()
            process.finish()
        sent = sum(part["sent"] for part in parts)
        arrived = sum(part["arrived"] for part in parts)
        with open_capture(str(Path(folder, CAPTURE))) as stream:
            recorded = sum(record.kind is RecordKind.MESSAGE for record in read_capture(stream))
    return [
        Row("messages that arrived", f"{arrived:,}", f"sent {sent:,}", target="all"),
        Row("messages in the capture", f"{recorded:,}", f"with replies {sent + len(parts):,}", target="all"),
        Row(
            "peak memory at the end", mebibytes(late), f"at a quarter {mebibytes(early)}", f"{late / early:.2f}", "flat"
        ),
    ]


def flood(front: Path, back: Path, bursts: int) -> Any:
    back_end = ("sink", reply("GET_QUEUE_NUM"))
    front_end = ("burst", request("SET_VRING_NUM", num=256), request("GET_QUEUE_NUM"), bursts, BURST)
    return converse(front, back, back_end, front_end)


def peak_memory(process: Process) -> int:
    """Peak resident memory of a process so far, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) << 10
