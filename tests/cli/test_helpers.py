"""Programs that are started from programs: nothing that lies in the current folder is run."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vudissect.cli.main import _COMMANDS
from vudissect.host.python import python_module
from vudissect.testing.recording import Pair, RecordingError, record
from vudissect.wireshark.extcap import launcher

PACKAGE = Path(__file__).parents[2] / "vudissect"
TIMEOUT = 30
VUDISSECT, VUPROXY = (str(Path(sys.executable).with_name(name)) for name in ("vudissect", "vuproxy"))
NOBODY = ["--front-end", "connect:a", "--back-end", "connect:b", "--wait", "0"]


@pytest.fixture
def poisoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: what is imported from it leaves a trace there."""
    for name in ("click", "json", "vudissect", "socket", "array"):
        trace = f"open({str(tmp_path / 'imported')!r}, 'a').write({name!r})\nraise SystemExit(99)\n"
        (tmp_path / f"{name}.py").write_text(trace)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT)


def test_the_folder_is_poisoned(poisoned: Path) -> None:
    assert run([sys.executable, "-m", "vudissect.cli", "--version"]).returncode == 99
    assert (poisoned / "imported").exists()


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ([VUDISSECT, "demo"], 0),
        ([VUPROXY, *NOBODY, "-w", "capture"], 2),
        ([VUPROXY, "--version"], 0),
        *(([VUDISSECT, name, "--help"], 0) for name in _COMMANDS),
        ([*python_module("vudissect.cli.observe"), "--help"], 0),
        (["sh", "-c", launcher(sys.executable), "launcher", "--extcap-interfaces"], 0),
    ],
    ids=lambda value: " ".join(value[:2])[-40:] if isinstance(value, list) else None,
)
def test_nothing_is_imported_from_the_current_folder(poisoned: Path, command: list[str], status: int) -> None:
    done = run(command)

    assert done.returncode == status, done.stderr
    assert not (poisoned / "imported").exists()


def test_recording_in_a_test_imports_nothing_from_the_current_folder(poisoned: Path) -> None:
    silent = ["sh", "-c", "true {socket}"]
    with pytest.raises(RecordingError, match="the two programs exchanged no messages"):
        record(Pair(silent, silent, front_end_listens=False), poisoned / "capture", poisoned, 0.5)

    assert not (poisoned / "imported").exists()


def test_python_is_started_in_one_way_only() -> None:
    users = {
        os.fspath(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.executable"
    }

    # The others write scripts: the launcher, which is tried above, and an emulator, with the vuproxy beside it.
    assert users == {"host/python.py", "cli/wireshark.py", "cli/wrap.py"}
