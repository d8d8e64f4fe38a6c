"""strace on running processes, played by a script: how it is started, read and ended."""

import os
from pathlib import Path

import pytest

from vudissect.host.tracer import Tracer, TracerError

ATTACHES = """#!/bin/sh
while [ "$1" != -o ]; do shift; done
log=$2
echo "strace: Process 7 attached" >&2
trap 'echo "close(4) = 0" >> $log; exit' TERM
echo "close(3) = 0" >> $log
printf "close(" >> $log
while :; do sleep 0.02; done
"""
REFUSES = "#!/bin/sh\necho 'strace: attach: ptrace(PTRACE_SEIZE, 7): Operation not permitted' >&2\nexit 1\n"
FAILS = "#!/bin/sh\necho 'strace: something else' >&2\nexit 1\n"


def play(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "strace"
    program.write_text(script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def everything(tracer: Tracer) -> list[str]:
    found: list[str] = []
    while (lines := tracer.lines()) is not None:
        found += lines
        if found:
            tracer.stop()
    return found


def test_its_lines_are_read_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(ATTACHES, tmp_path, monkeypatch)
    tracer = Tracer([os.getpid()], ["close"])

    lines = everything(tracer)
    tracer.close()

    assert lines == ["close(3) = 0", "close(close(4) = 0"]


@pytest.mark.parametrize(
    ("script", "words"), [(REFUSES, "may not be traced"), (FAILS, "strace: something else")], ids=["refused", "failed"]
)
def test_where_it_does_not_attach_the_reason_is_named(
    script: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(script, tmp_path, monkeypatch)

    with pytest.raises(TracerError, match=words):
        Tracer([os.getpid()], ["close"])


def test_a_process_that_has_just_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(REFUSES, tmp_path, monkeypatch)

    with pytest.raises(TracerError, match="has just ended"):
        Tracer([1 << 22], ["close"])
