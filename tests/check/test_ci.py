"""The suite where it has to run: the step of the page about CI, as somebody without privileges."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from vudissect.host.python import python_module

_PAGE = Path(__file__).parents[2] / "docs" / "conformance-in-ci.md"
_PROGRAM = [sys.executable, str(Path(__file__).with_name("program.py"))]
_NOTHING = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs") if os.geteuid() == 0 else ()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with `my-backend`, and `vudissect` on the way to it."""
    (tmp_path / "tests").mkdir()
    scripts = {
        "my-backend": f'case $1 in --socket-path=*) ;; *) exit 2 ;; esac\nexec {" ".join(_PROGRAM)} listen "${{1#*=}}"',
        "bin/vudissect": f'exec {" ".join(python_module("vudissect"))} "$@"',
        "bin/pip": "exit 0",
    }
    (tmp_path / "bin").mkdir()
    for name, text in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def test_the_steps_of_the_page_work_as_they_are_written(checkout: Path) -> None:
    step, first = re.findall(r"```sh\n(.*?)```", _PAGE.read_text(), re.DOTALL)
    environment = {**os.environ, "PATH": f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    for commands in (first, step):
        # All cases take longer than the test needs.
        shorter = commands.replace("vudissect check", "vudissect check --only RNG-01,RNG-02")
        subprocess.run(["sh", "-ec", shorter], cwd=checkout, env=environment, check=True, timeout=100)

    assert json.loads((checkout / "tests/vudissect.json").read_text())["cases"] == {"RNG-01": "pass", "RNG-02": "pass"}
    assert len(list(ElementTree.parse(checkout / "vudissect.xml").iter("testcase"))) == 2
    assert (checkout / "vudissect-pages" / "RNG-01.html").exists()


def test_no_case_needs_a_privilege() -> None:
    done = subprocess.run(
        [*_NOTHING, *python_module("vudissect"), "check", "--", *_PROGRAM, "listen", "{socket}"],
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_a_descriptor_may_have_any_number() -> None:
    command = ["sh", "-c", f"exec {' '.join(_PROGRAM)} fd 3 3<&{{fd}}"]

    done = subprocess.run(
        [*python_module("vudissect"), "check", "--only", "RNG-01", "--", *command],
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert "1 pass" in done.stdout, done.stderr
