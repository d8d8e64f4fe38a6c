"""`vuproxy run` in a shell at a terminal: keys, job control and the size of the window are for the command."""

import fcntl
import os
import pty
import select
import shlex
import signal
import struct
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from tests.proxy.harness import PATIENCE
from tests.proxy.test_run import RUN, disk

CTRL_C, CTRL_Z = b"\x03", b"\x1a"
PROMPT = "shell> "
COMMAND = """
import os, signal, sys
def say(text):
    print(text, flush=True)
signal.signal(signal.SIGINT, lambda *_: say("interrupted"))
signal.signal(signal.SIGCONT, lambda *_: say("continued"))
signal.signal(signal.SIGWINCH, lambda *_: say(f"{os.get_terminal_size().columns} columns"))
say(f"terminal {sys.stdin.isatty()} {sys.stdout.isatty()} {os.getpgrp() == os.tcgetpgrp(0)}")
for line in sys.stdin:
    say(f"read {line.strip()}")
    if line.strip() == "end":
        sys.exit(7)
"""


class Terminal:
    """A terminal with a shell that has job control."""

    def __init__(self, folder: Path) -> None:
        self.pid, self._fd = pty.fork()
        if not self.pid:
            os.chdir(folder)
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], {**os.environ, "PS1": PROMPT, "TERM": "dumb"})
        self.shown = ""

    def type(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def run(self, line: str) -> None:
        """Type a line for the shell, once it waits for one: until then it may change the terminal, and lose keys."""
        self.expect(PROMPT)
        self.type(f"{line}\n".encode())

    def expect(self, text: str) -> None:
        """Wait until this is shown; what came before it is forgotten."""
        deadline = monotonic() + PATIENCE
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        while text not in self.shown:
            assert poll.poll(max(0.0, deadline - monotonic()) * 1000), self.shown
            self.shown += os.read(self._fd, 4096).decode()
        self.shown = self.shown.partition(text)[2]

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def close(self) -> None:
        os.close(self._fd)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal on which the command runs in the foreground."""
    terminal = Terminal(tmp_path)
    words = [*RUN, "--", sys.executable, str(tmp_path / "command.py"), *disk("d", "a.sock")]
    (tmp_path / "command.py").write_text(COMMAND)
    terminal.run(shlex.join(words))
    terminal.expect("terminal True True True")
    yield terminal
    terminal.close()


def end(terminal: Terminal) -> None:
    terminal.type(b"end\n")
    terminal.expect("read end")
    terminal.run('echo "status $?"')
    terminal.expect("status 7")


def test_ctrl_c_is_for_the_command(terminal: Terminal) -> None:
    terminal.type(CTRL_C)
    terminal.expect("interrupted")
    end(terminal)


def test_ctrl_z_stops_both_and_the_shell_continues_both(terminal: Terminal) -> None:
    terminal.type(CTRL_Z)
    terminal.expect("Stopped")
    terminal.run("fg")
    terminal.expect("continued")
    end(terminal)


def test_the_size_of_the_window_is_that_of_the_terminal(terminal: Terminal) -> None:
    terminal.resize(132)
    terminal.expect("132 columns")
    end(terminal)
