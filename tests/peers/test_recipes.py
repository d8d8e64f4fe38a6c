"""The recipes of docs/scapy.md with the real programs that they are for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers.daemons import storage_daemon
from tests.peers.processes import program, running, wait_for_listener
from tests.scapy.test_document import RECIPES

pytestmark = pytest.mark.peers

TIMEOUT = 60
MEMORY = ("-m", "128", "-object", "memory-backend-memfd,id=m,size=128M,share=on", "-numa", "node,memdev=m")


def recipe(folder: Path, name: str) -> list[str]:
    """The command that runs a recipe."""
    (folder / "recipe.py").write_text(RECIPES[name])
    return [sys.executable, os.fspath(folder / "recipe.py")]


def test_the_hostile_back_end_reaches_its_claim_and_qemu_refuses_it(tmp_path: Path) -> None:
    qemu = [program("qemu-system-x86_64", "qemu-system-x86"), "-accel", "tcg", "-nodefaults", "-nographic", *MEMORY]
    qemu += ["-chardev", "socket,id=c,path=back.sock", "-netdev", "vhost-user,id=n,chardev=c,queues=2"]

    with running("hostile", recipe(tmp_path, "Craft a hostile back-end"), tmp_path) as back_end:
        wait_for_listener("back.sock", back_end)
        done = subprocess.run(qemu, cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT)
        back_end.finish()

    assert done.returncode == 1
    assert "Failed to read msg header. Size -1 exceeds the maximum" in done.stderr


def test_fuzzing_finds_the_crash_of_a_back_end(tmp_path: Path) -> None:
    (tmp_path / "disk.img").write_bytes(bytes(1 << 20))

    with storage_daemon(tmp_path / "disk.img", "back.sock", tmp_path) as back_end:
        done = subprocess.run(
            recipe(tmp_path, "Fuzz a back-end"), cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT
        )
        crashed = not back_end.alive()

    # It uses the number of a ring without a check.
    assert crashed
    assert done.stderr.splitlines()[-1].startswith("ConnectionRefusedError")
