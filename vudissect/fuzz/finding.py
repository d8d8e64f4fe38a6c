"""What is wrong with a program after a session, and what makes two findings the same one."""

import re
from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from typing import NamedTuple

from vudissect.check.judging import panicked
from vudissect.check.outcome import Fate, Life, signal_name
from vudissect.fuzz.play import Played, Session
from vudissect.fuzz.steps import Message, Steps
from vudissect.protocol.model import FdKind

_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+")
# How programs, the C library and sanitizers report an error before the signal.
_REPORTS = re.compile(
    r"[Aa]ssertion.*failed|panicked at|Sanitizer: |runtime error: |terminate called|\*\*\* .* \*\*\*|"
    r"^(?:free|malloc|realloc|munmap_chunk|corrupted)\b.*|double free|Segmentation fault|code should not be reached"
)
_LONGEST_NAME = 60
_AFTER = "after "
# What is seen where memory was overwritten before.
_ANYWHERE = re.compile(rf"{_AFTER}|free|malloc|realloc|munmap_chunk|corrupted|double free|\*\*\* ")


class Trouble(StrEnum):
    """What a program must not do, whatever the other side sends."""

    CRASH = "crash"
    EXIT = "exit"
    SPIN = "spin"
    HANG = "hang"
    LEAK = "leak"


class Key(NamedTuple):
    """Findings with the same key are the same finding.

    `how` is the signal, the status or what is lost, `where` the report in the log without its numbers, or else the last
    message before it.
    """

    trouble: Trouble
    how: str
    where: str

    def is_like(self, other: "Key") -> bool:
        """Whether both may be one fault: where memory was overwritten, the crash comes now here, now there.

        An assertion or a sanitizer names its place, so that only this one is like it; the C library does not.
        """
        if not self.trouble is other.trouble is Trouble.CRASH:
            return self == other
        return self.where == other.where or (self._is_anywhere and other._is_anywhere)

    @property
    def _is_anywhere(self) -> bool:
        return bool(_ANYWHERE.match(self.where))

    @property
    def name(self) -> str:
        """As the name of a file."""
        words = re.findall(r"[a-z0-9]+", f"{self.trouble} {self.how} {self.where}".lower())
        return "-".join(words)[:_LONGEST_NAME].rstrip("-")

    def __str__(self) -> str:
        return f"{self.trouble}: {self.how}, {self.where}"


class Finding(NamedTuple):
    """Something wrong, and the session after which it is."""

    key: Key
    steps: Steps
    session: Session
    fate: Fate
    output: tuple[str, ...]
    """What the program wrote last."""
    reproduced: bool = True
    """Whether a process that has seen nothing else does it again."""


def key_of(played: Played) -> Key | None:
    """What is wrong; None if nothing is. A leak takes more than one session to see."""
    session, fate, output, *_ = played
    report = _report(output.splitlines())
    after = f"{_AFTER}{session.last or 'the connection was made'}"
    if fate.life is Life.KILLED or panicked(output):
        how = signal_name(fate.number).partition(" ")[0] if fate.life is Life.KILLED else "panic"
        return Key(Trouble.CRASH, how, report or after)
    # One that serves a single connection may say with its status that this one was refused.
    if fate.life in (Life.EXITED, Life.GONE) and fate.next_connection is False:
        return Key(Trouble.EXIT, f"status {fate.number}", report or after)
    if fate.life is Life.SPINNING:
        return Key(Trouble.SPIN, "the processor is busy", after)
    if fate.life is Life.HUNG:
        how = "the next session is refused" if fate.next_connection is False else "it does not end"
        return Key(Trouble.HANG, how, after)
    return None


def leak_of(steps: Steps) -> Key:
    """Each time the session is played, descriptors are left over."""
    carriers = sorted({_carrier(step) for step in steps if isinstance(step, Message) and step.descriptors})
    return Key(Trouble.LEAK, "descriptors", f"of {' and '.join(carriers)}" if carriers else f"after {steps[-1].name}")


def memory_leak_of(steps: Steps) -> Key:
    """Each time the session is played, the process is larger."""
    return Key(Trouble.LEAK, "memory", f"after {steps[-1].name}" if steps else "without a step")


def without_leaks(steps: Steps, known: Iterable[Key]) -> Steps:
    """The session without the descriptors that are known to be left over."""
    return tuple(
        replace(step, descriptors=()) if isinstance(step, Message) and leak_of((step,)) in known else step
        for step in steps
    )


def _carrier(step: Message) -> str:
    row = step.row
    return step.name if row is not None and row.fds.kind is not FdKind.NONE else "a message that carries none"


def log_words(output: str) -> Iterable[str]:
    """The lines of a log without their numbers: a new one is another place that a session came to."""
    return {_NUMBER.sub("N", line)[:200] for line in output.splitlines()}


def _report(lines: list[str]) -> str:
    """The first line that reports an error, without numbers that differ from run to run."""
    for line in lines:
        if _REPORTS.search(line):
            return _NUMBER.sub("N", line.strip())[:200]
    return ""
