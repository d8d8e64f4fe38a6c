"""strace and bpftrace on running processes, played by scripts: how they are started, read and ended."""

import os
import socket
import time
from pathlib import Path

import pytest

from vudissect.host.tracer import Tracer, TracerError, Way, choose

ATTACHES = """#!/bin/sh
while [ "$1" != -o ]; do shift; done
log=$2
echo "strace: Process 7 attached" >&2
trap 'echo "close(4) = 0" >> $log; exit' TERM
echo "close(3) = 0" >> $log
printf "close(" >> $log
while :; do sleep 0.02; done
"""
# It has printed all that came before it was stopped when a tick is later.
TICKS = """#!/bin/sh
while :; do
  read -r seconds rest < /proc/uptime
  echo "C $seconds"
  echo "T ${seconds%.*}${seconds#*.}0000000"
  sleep 0.05
done
"""
REFUSES = "#!/bin/sh\necho 'strace: attach: ptrace(PTRACE_SEIZE, 7): Operation not permitted' >&2\nexit 1\n"
FAILS = "#!/bin/sh\necho 'strace: something else' >&2\nexit 1\n"


def play(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "strace") -> None:
    program = folder / name
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


def test_bpftrace_is_read_until_a_tick_after_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(TICKS, tmp_path, monkeypatch, "bpftrace")
    tracer = Tracer([os.getpid()], [], Way.BPFTRACE)

    stopped = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    lines = everything(tracer)
    tracer.close()

    assert max(int(line[2:]) for line in lines if line.startswith("T ")) > stopped


def test_bpftrace_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play("#!/bin/sh\necho 'ERROR: it cannot' >&2\nexit 1\n", tmp_path, monkeypatch, "bpftrace")

    with pytest.raises(TracerError, match=r"bpftrace cannot trace process \d+: ERROR: it cannot"):
        Tracer([os.getpid()], [], Way.BPFTRACE)


def test_strace_is_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(ATTACHES, tmp_path, monkeypatch)
    play(TICKS, tmp_path, monkeypatch, "bpftrace")

    with socket.socket(socket.AF_UNIX):
        assert choose([os.getpid()]) == (Way.STRACE, "")


def test_without_root_the_remedies_of_both_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    play(TICKS, tmp_path, monkeypatch, "bpftrace")
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(TracerError, match=r"install the package strace.*\(bpftrace needs root: run this as root\)"):
        choose([os.getpid()])


def test_only_bpftrace_and_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", os.fspath(tmp_path))

    with pytest.raises(TracerError, match=r"^bpftrace is not installed: install the package bpftrace$"):
        choose([os.getpid()], Way.BPFTRACE)
