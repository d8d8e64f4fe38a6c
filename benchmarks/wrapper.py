"""How much longer libvirt takes to start a domain whose emulator records (`vuproxy wrap`), with and without room.

A domain with a disk, started and destroyed by a libvirt of its own; libvirt has asked both emulators for their
capabilities before.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.programs import installed
from benchmarks.table import Row, in_turns, milliseconds
from tests.peers.daemons import storage_daemon
from tests.peers.libvirt import DISK, SHARED_MEMORY, Libvirt, libvirt
from tests.peers.processes import program

ROUNDS = 7
TARGET = "at most 200 ms"


def run() -> list[Row]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "disk.img").write_bytes(bytes(1 << 20))
        with storage_daemon(folder / "disk.img", "disk.sock", folder), libvirt(folder) as manager:
            emulators = {
                "as it is": program("qemu-system-x86_64", "qemu-system-x86"),
                "recorded": _wrapped(folder, "recorded", folder),
                "without room": _wrapped(folder, "unrecorded", folder / "nowhere"),
            }
            for emulator in emulators.values():
                _seconds(manager, folder, emulator)()
            times = in_turns(ROUNDS, {what: _seconds(manager, folder, each) for what, each in emulators.items()})
    return [_row(what, times[what], times["as it is"]) for what in ("recorded", "without room")]


def _row(what: str, ours: list[float], theirs: list[float]) -> Row:
    longer = median(mine - other for mine, other in zip(ours, theirs, strict=True))
    reference = f"as it is {milliseconds(median(theirs))}"
    return Row(f"virsh create, {what}", milliseconds(median(ours)), reference, f"{longer * 1e3:+.0f} ms", TARGET)


def _wrapped(folder: Path, name: str, captures: Path) -> str:
    config, script = folder / f"{name}.conf", folder / name
    config.write_text(f"FOLDER={captures}\n")
    words = [installed("vuproxy"), "wrap", program("qemu-system-x86_64", "qemu-system-x86"), "--config", str(config)]
    script.write_text(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    script.chmod(0o755)
    return os.fspath(script)


def _seconds(manager: Libvirt, folder: Path, emulator: str) -> Callable[[], float]:
    def measured() -> float:
        before = perf_counter()
        with manager.domain(SHARED_MEMORY, DISK.format(folder=folder), emulator):
            return perf_counter() - before

    return measured
