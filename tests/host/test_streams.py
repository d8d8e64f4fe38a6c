"""Programs that are started without standard input, output or error."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, sys
from vudissect.host.streams import hold_places
hold_places()
opened = os.open("/dev/null", os.O_RDONLY)
assert opened > 2, opened
assert all(os.get_inheritable(number) for number in range(3))
"""


def without(closed: str, script: str) -> subprocess.CompletedProcess[str]:
    command = f'exec "$0" -P -c "$1" {closed}'
    return subprocess.run(
        ["sh", "-c", command, sys.executable, SCRIPT + script],
        input="",
        capture_output=True,
        text=True,
        timeout=20,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ""])
def test_later_files_do_not_take_their_numbers(closed: str) -> None:
    done = without(closed, "")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_nothing_can_be_read_from_standard_input_that_is_closed() -> None:
    done = without("<&-", "sys.stdin.read()")

    assert "Bad file descriptor" in done.stderr


def test_nothing_can_be_written_to_standard_output_that_is_closed() -> None:
    done = without(">&-", "print('hello', flush=True)")

    assert "Bad file descriptor" in done.stderr


def test_text_for_a_closed_standard_error_is_dropped() -> None:
    done = without("2>&-", "print('hello', file=sys.stderr)")

    assert (done.returncode, done.stdout) == (0, "")
