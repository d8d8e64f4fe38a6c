"""QEMU and qemu-storage-daemon, killed at each message of their set-up."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.peers.checked import BACK_ENDS, FRONT_ENDS
from vudissect.host.python import python_module

pytestmark = pytest.mark.peers_slow

FRONT_END = next(each for each in FRONT_ENDS if each.key == "qemu-7.2")
BACK_END = next(each for each in BACK_ENDS if each.program == "qemu-storage-daemon")


@pytest.mark.parametrize("name", ["kill-back-end", "kill-front-end"])
def test_the_next_session_works_wherever_a_side_is_killed(name: str, tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    with (tmp_path / "disk.img").open("wb") as disk:
        disk.truncate(16 << 20)
    front_end = shlex.join(FRONT_END.command(tmp_path))

    done = subprocess.run(
        [
            *python_module("vudissect"),
            *("check", "--scenario", name, "--json", str(results), "--with", front_end),
            *("--", *BACK_END.command(tmp_path)),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=tmp_path,
    )

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    written = json.loads(results.read_text())
    runs = written["scenarios"][0]["runs"]
    assert [run["at"] for run in runs] == written["set_up"]
    assert "SET_VRING_KICK ring 0" in written["set_up"]
