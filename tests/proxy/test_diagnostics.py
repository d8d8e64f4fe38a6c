"""Reports of the proxy: immediate if they are read, never blocking if they are not."""

import os
import threading

import pytest

from tests.proxy.harness import eventually
from vudissect.proxy import diagnostics
from vudissect.proxy.diagnostics import Diagnostics, Throttled


class Stuck:
    """A full pipe that nobody reads."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.writer, False)
        self.filling = 0
        try:
            while True:
                self.filling += os.write(self.writer, b"." * 4096)
        except BlockingIOError:
            os.set_blocking(self.writer, True)

    def read(self) -> bytes:
        """Everything that was written, once the writer is closed."""
        os.close(self.writer)
        with open(self.reader, "rb") as stream:
            return stream.read()[self.filling :]


@pytest.fixture
def stuck() -> Stuck:
    return Stuck()


def test_a_reader_gets_the_text() -> None:
    reader, writer = os.pipe()
    speaking = Diagnostics("vuproxy", writer)
    speaking("recording to \udcff")
    assert os.read(reader, 100) == b"vuproxy: recording to \\udcff\n"
    speaking.close()


def test_the_journal_gets_priorities(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    status = os.fstat(writer)
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    speaking = Diagnostics("vuproxy", writer)
    speaking("disk full")
    speaking.inform("1 connection\n  2 messages")
    speaking.close()
    assert os.read(reader, 100) == b"<4>disk full\n<6>1 connection\n<6>  2 messages\n"


def test_terminal_control_characters_are_escaped() -> None:
    reader, writer = os.pipe()
    speaking = Diagnostics("vuproxy", writer)
    speaking("1 connection\n  \x1b[31m\u202e\r")
    assert os.read(reader, 100) == b"vuproxy: 1 connection\n  \\x1b[31m\\u202e\\r\n"
    speaking.close()


def test_the_relay_does_not_wait_for_a_reader(stuck: Stuck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnostics, "_LAST_CHANCE_SECONDS", 0.01)
    speaking = Diagnostics("vuproxy", stuck.writer)
    for number in range(1000):
        speaking(f"line {number}")
    speaking.close()


def test_a_returning_reader_gets_the_number_of_lines_it_missed(stuck: Stuck) -> None:
    speaking = Diagnostics("vuproxy", stuck.writer)
    for number in range(201):
        speaking(f"line {number}")
    os.read(stuck.reader, stuck.filling)
    stuck.filling = 0
    eventually(lambda: speaking.is_quiet)
    speaking("the last")
    speaking.close()
    lines = stuck.read().decode().splitlines()
    said = [line for line in lines if line.startswith("vuproxy: line ")]
    assert lines[-2:] == [f"vuproxy: {201 - len(said)} lines left out here", "vuproxy: the last"]


def test_a_late_reader_gets_the_last_line(stuck: Stuck) -> None:
    speaking = Diagnostics("vuproxy", stuck.writer)
    speaking("the last")
    threading.Timer(0.01, lambda: os.read(stuck.reader, stuck.filling)).start()
    speaking.close()
    stuck.filling = 0
    assert stuck.read() == b"vuproxy: the last\n"


def test_a_non_blocking_standard_error_is_waited_for(stuck: Stuck) -> None:
    os.set_blocking(stuck.writer, False)
    speaking = Diagnostics("vuproxy", stuck.writer)
    speaking("the last")
    threading.Timer(0.01, lambda: os.read(stuck.reader, stuck.filling)).start()
    speaking.close()
    stuck.filling = 0
    assert stuck.read() == b"vuproxy: the last\n"


def test_a_reader_that_is_gone_does_not_matter() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    speaking = Diagnostics("vuproxy", writer)
    speaking("one")
    speaking("two")
    speaking.close()
    assert speaking.is_quiet


def test_throttled_warnings_are_counted() -> None:
    said: list[str] = []
    throttled = Throttled(said.append)
    for number in range(1, 1235):
        throttled(f"lost {number}")
    assert said == [
        "lost 1",
        "lost 10 (10 times so far)",
        "lost 100 (100 times so far)",
        "lost 1000 (1000 times so far)",
    ]
