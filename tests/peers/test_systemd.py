"""The units in docs/systemd: systemd finds nothing wrong with them, and their command runs."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from benchmarks.programs import installed
from tests.proxy.harness import PATIENCE, Listener, eventually, recorded_so_far
from tests.proxy.test_program import call_when_listening, converse
from vudissect.capture.record import RecordKind

pytestmark = pytest.mark.peers

UNITS = Path(__file__).parents[2] / "docs" / "systemd"
PROGRAM = "/usr/local/bin/vuproxy"
NAME = "vm1"


def command() -> str:
    """The command of the service."""
    match = re.search(r"^ExecStart=(.*)$", (UNITS / "vuproxy@.service").read_text(), re.MULTILINE)
    assert match
    return match[1]


@pytest.mark.parametrize("unit", ["vuproxy@.service", "vuproxy@.socket"])
def test_systemd_finds_nothing_wrong(unit: str, tmp_path: Path) -> None:
    for each in UNITS.glob("vuproxy@.*"):
        (tmp_path / each.name).write_text(each.read_text().replace(PROGRAM, installed("vuproxy")))
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    about_ours = [line for line in result.stderr.splitlines() if "vuproxy" in line]
    assert (result.returncode, about_ours) == (0, [])


def test_the_command_of_the_unit_runs(tmp_path: Path) -> None:
    environment = {"BACK_END": str(tmp_path / "back.sock"), "SIZE": "8M", "FILES": "8", "OPTIONS": ""}
    environment["LOGS_DIRECTORY"] = str(tmp_path)
    text = command().replace("%i", NAME).replace(PROGRAM, installed("vuproxy"))
    words = shlex.split(re.sub(r"\$\{?(\w+)\}?", lambda match: environment[match[1]], text))
    back_end = Listener(tmp_path / "back.sock")
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notified.bind(str(tmp_path / "notify"))
    notified.settimeout(PATIENCE)
    program = shutil.which("systemd-socket-activate")
    assert program
    asked = [program, "-l", str(tmp_path / "front.sock"), f"--setenv=NOTIFY_SOCKET={tmp_path / 'notify'}", *words]
    with subprocess.Popen(asked, stderr=subprocess.PIPE, env={**os.environ, "HOME": str(tmp_path)}) as process:
        try:
            front = call_when_listening(tmp_path / "front.sock")
            converse(front, back_end.accept())
            ready = notified.recv(1000).decode()
            capture = next(iter(tmp_path.glob("vm1_00001_*.pcapng")))
            eventually(lambda: sum(record.kind is RecordKind.MESSAGE for record in recorded_so_far(capture)) == 2)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert ready.startswith("READY=1\nSTATUS=listening at fd:3 for the front-end")
    assert notified.recv(1000) == b"STOPPING=1\n"
    assert process.returncode == 0
    assert b"1 connection" in errors
