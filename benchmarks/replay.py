"""Replays a recorded bring-up: the replay's own time, compared with the duration of the recording."""

import json
import subprocess
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.programs import installed
from benchmarks.table import Row, milliseconds

ROUNDS = 15
CAPTURES = ("dpdk-22.11-virtio-user-vhost", "qemu-7.2-blk-qsd")


def run() -> list[Row]:
    return [_row(name) for name in CAPTURES]


def _row(name: str) -> Row:
    reports = [_replayed(name) for _ in range(ROUNDS)]
    own = median(report["own_seconds"] for report in reports)
    recorded = median(report["recorded_seconds"] for report in reports)
    messages = reports[0]["sent"] + reports[0]["received"]
    return Row(
        f"{name}, {messages} messages",
        f"own time {own * 1e3:.1f} ms",
        f"recorded {milliseconds(recorded)}",
        f"{own / recorded:.4f}",
        "own time under 10 ms for 30",
    )


def _replayed(name: str) -> dict[str, float]:
    """The report of a replay of the front-end against a replay of the back-end in another process."""
    capture = str(Path(__file__).resolve().parents[1] / "captures" / f"{name}.pcapng")
    replay = [installed("vudissect"), "replay", capture, "--json"]
    with tempfile.TemporaryDirectory() as folder:
        back = [*replay, "--as", "back-end", "--listen", "peer.sock"]
        front = [*replay, "--as", "front-end", "--connect", "peer.sock"]
        with subprocess.Popen(back, cwd=folder, stdout=subprocess.DEVNULL) as back_end:
            done = subprocess.run(front, cwd=folder, stdout=subprocess.PIPE, check=True)
            back_end.wait()
    report: dict[str, float] = json.loads(done.stdout)
    return report
