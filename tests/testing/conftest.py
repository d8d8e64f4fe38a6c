"""A project of somebody who tests a back-end."""

import os
from pathlib import Path

import pytest

from vudissect.conversation.text import read_conversation

RECORDED = """
--- connection front-end=qemu back-end=disk
F>B GET_FEATURES
B>F GET_FEATURES -> VERSION_1
--- closed by front-end
"""


class Project:
    """A folder with a capture, a program and a test."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path = pytester.path
        self.capture = self.path / "boot.pcapng"
        self.capture.write_bytes(read_conversation(RECORDED).capture())

    def write(self, **scripts: str) -> None:
        """Write scripts, called `NAME.py`."""
        for name, text in scripts.items():
            (self.path / f"{name}.py").write_text(text)

    def replay(self, program: str, *options: str, mark: str = 'role="front-end"', call: str = "") -> pytest.RunResult:
        """Run a test that replays the capture against `program`; `call` is more for the fixture."""
        self.write(program=program)
        return self.run(
            f"""
            import sys
            import pytest

            @pytest.mark.vudissect("boot.pcapng", {mark})
            def test_boot(vudissect_replay):
                replayed = vudissect_replay([sys.executable, "program.py", "{{socket}}"], {call})
                assert replayed.outcome.ok
            """,
            *options,
        )

    def run(self, test: str, *options: str) -> pytest.RunResult:
        self.pytester.makepyfile(test_it=test)
        return self.pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)

    @property
    def pids(self) -> list[int]:
        """The processes that have noted themselves."""
        return [int(line) for line in (self.path / "pids").read_text().split()]

    @property
    def survivors(self) -> list[int]:
        return [pid for pid in self.pids if alive(pid)]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked for does not."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Project:
    places = tmp_path / "places"
    places.mkdir()
    monkeypatch.setattr("tempfile.tempdir", os.fspath(places))
    return Project(pytester)


@pytest.fixture
def places(project: Project, tmp_path: Path) -> Path:
    """Where temporary folders are made."""
    return tmp_path / "places"
