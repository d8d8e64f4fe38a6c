"""Whether a process is stopped."""

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from vudissect.host.process_state import is_stopped


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_a_process_that_is_stopped(sleeper: subprocess.Popen[bytes]) -> None:
    assert not is_stopped(sleeper.pid)
    os.kill(sleeper.pid, signal.SIGSTOP)
    os.waitpid(sleeper.pid, os.WUNTRACED)

    assert is_stopped(sleeper.pid)


def test_a_process_that_goes_on(sleeper: subprocess.Popen[bytes]) -> None:
    os.kill(sleeper.pid, signal.SIGSTOP)
    os.waitpid(sleeper.pid, os.WUNTRACED)
    os.kill(sleeper.pid, signal.SIGCONT)
    os.waitpid(sleeper.pid, os.WCONTINUED)

    assert not is_stopped(sleeper.pid)


def test_a_process_that_is_not_there() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()

    assert not is_stopped(gone.pid)
