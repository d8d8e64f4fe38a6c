"""A project that tests a back-end with the plugin."""

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
        """Write scripts with the names `NAME.py`."""
        for name, text in scripts.items():
            (self.path / f"{name}.py").write_text(text)

    def replay(self, program: str, *options: str, mark: str = 'role="front-end"', call: str = "") -> pytest.RunResult:
        """Run a test that replays the capture against `program`; `mark` and `call` are further arguments."""
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
        """The processes that wrote their pid to the file `pids`."""
        return [int(line) for line in (self.path / "pids").read_text().split()]

    @property
    def survivors(self) -> list[int]:
        return [pid for pid in self.pids if alive(pid)]


def alive(pid: int) -> bool:
    """Whether a process is running; a zombie is not."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Project:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", os.fspath(temporary))
    return Project(pytester)


@pytest.fixture
def temporary(project: Project, tmp_path: Path) -> Path:
    """The folder for temporary files."""
    return tmp_path / "tmp"
