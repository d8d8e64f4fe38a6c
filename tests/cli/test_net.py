"""Under all commands is a net: a fault of ours is one line, and a traceback only for who asks for it."""

import pytest

from vudissect.cli import main as commands
from vudissect.cli.program import TRACEBACK


def boom(*_: object) -> None:
    raise TypeError("a\nfault")


@pytest.fixture(autouse=True)
def faulty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands._LazyGroup, "get_command", boom)


def test_a_fault_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv(TRACEBACK)
    with pytest.raises(SystemExit) as end:
        commands.main(["show", "x"])

    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "internal error: TypeError: a\\nfault; please report it" in line


def test_or_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRACEBACK, "1")

    with pytest.raises(TypeError, match="fault"):
        commands.main(["show", "x"])


def test_it_is_off_in_tests(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TypeError, match="fault"):
        commands.main(["show", "x"])
