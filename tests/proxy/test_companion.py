"""A process beside the relay gets the descriptors that it expects, whatever their numbers are here."""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from vudissect.proxy import companion
from vudissect.proxy.companion import Companion, Feed

# Writes the texts that it reads from its descriptors.
PROGRAM = """
import json, os
print(json.dumps([os.read(fd, 100).decode() for fd in (4, 5)]), file=os.fdopen(3, "w"))
"""


def gap(messages: int, reason: str) -> bytes:
    raise AssertionError("nothing is missing")


def pipe_with(text: str) -> int:
    """The reading end of a pipe with a text in it."""
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    return reading


@pytest.mark.parametrize("numbers", [(4, 5), (5, 4), (3, 5), (5, 3), (0, 4)], ids=str)
def test_descriptors_with_the_numbers_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbers: tuple[int, int]
) -> None:
    (tmp_path / "answers").write_text(PROGRAM)
    monkeypatch.setattr(companion, "python_module", lambda name: [sys.executable, str(tmp_path / name)])
    reading, writing = os.pipe()
    if not (pid := os.fork()):
        # In a process of its own, whose descriptors may have any number.
        with suppress(BaseException):
            os.dup2(writing, 100)
            sources = [os.dup2(pipe_with(text), 50 + place) for place, text in enumerate(("four", "five"))]
            for source, number in zip(sources, numbers, strict=True):
                os.dup2(source, number)
            passed = dict(zip((4, 5), numbers, strict=True))
            os.write(
                100, os.read(Companion("answers", [], "answers", Feed(b"capture", gap, print), passed).report, 100)
            )
        os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)

    assert json.loads(os.read(reading, 100) or "null") == ["four", "five"]
    os.close(reading)
