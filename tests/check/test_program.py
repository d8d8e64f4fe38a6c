"""What a program under test writes, over all its starts."""

from collections.abc import Iterator

import pytest

from vudissect.check.link import Clock
from vudissect.check.program import Handed

_SHELL = ["sh", "-s", "{fd}"]


class Talker(Handed):
    """Carries out what it is sent, line by line."""

    _done = 0

    def ask(self, line: str) -> None:
        """Send it a line, and wait until it is carried out."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._done += 1
        mark = f"done {self._done}\n"
        self._process.stdin.write(f"{line}; echo {mark}".encode())
        self._process.stdin.flush()
        while mark not in self.output():
            self.clock.sleep(0.002)


@pytest.fixture
def talker() -> Iterator[Talker]:
    program = Talker(_SHELL, 100.0, Clock())
    program.start()
    yield program
    program.close()


def test_only_what_is_new_is_read(talker: Talker) -> None:
    talker.ask("echo one")
    before = talker.written
    talker.ask("echo two")

    assert talker.output(since=before) == "two\ndone 2\n"


def test_nothing_is_new_if_nothing_was_written(talker: Talker) -> None:
    talker.ask("echo one")

    assert talker.output(since=talker.written) == ""


def test_what_it_wrote_before_it_was_started_again_stays(talker: Talker) -> None:
    talker.ask("echo one")
    before = talker.written
    talker.stop()
    talker.start()
    talker.ask("echo two")

    assert talker.output().startswith("one\ndone 1\n")
    assert talker.output(since=before).endswith("two\ndone 2\n")


def test_an_output_that_the_program_has_emptied_is_read_from_the_beginning(talker: Talker) -> None:
    talker.ask("echo a line that is longer than all that comes later")
    before = talker.written
    talker.ask("exec > /dev/stdout; echo two")

    assert talker.output(since=before) == "two\ndone 2\n"


def test_half_a_character_is_no_error(talker: Talker) -> None:
    talker.ask("printf '\\303'; echo")

    assert talker.output(since=0) == "\ufffd\ndone 1\n"
