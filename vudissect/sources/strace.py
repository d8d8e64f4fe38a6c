"""Lines of an strace log to system calls, in the order in which they took effect.

Understands what `-f`, `-o`, `-t`, `-tt`, `-ttt`, `-r` and `-T` add, and joins calls that were interrupted by those of
other threads (`<unfinished ...>`). Only calls in `CALLS` are read; the others are skipped at once.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from vudissect.sources.values import NotArgumentsError, Number, Value, number, parse_arguments, parse_descriptor

SENDS: Final = frozenset({"sendmsg", "sendto", "write", "writev", "send"})
RECEIVES: Final = frozenset({"recvmsg", "recvfrom", "read", "readv", "recv"})
# These take effect when they begin; all others when they end.
_AT_START: Final = SENDS | {"close"}
CALLS: Final = (
    SENDS
    | RECEIVES
    | {"close", "close_range", "shutdown", "connect", "accept", "accept4", "socketpair", "socket"}
    | {"dup", "dup2", "dup3", "fcntl", "fcntl64", "eventfd", "eventfd2", "memfd_create", "userfaultfd"}
    | {"clone", "clone3", "fork", "vfork", "execve"}
)

SECOND: Final = 1_000_000_000
MOST_TIME: Final = (1 << 63) - 1
"""The last time (ns) that fits into a capture with room for what follows."""
_DAY: Final = 86400 * SECOND
# Calls that wait for an earlier one to end; a call that blocks must not hold up the rest of the log.
_MOST_HELD: Final = 64

_LINE: Final = re.compile(
    r"\s*(?:\[pid\s+(\d{1,7})\]\s+|(\d{1,7})\s+(?=\S))?"
    r"(?:(\d{1,2}:\d\d:\d\d(?:\.\d{1,9})?|\d{9,10}(?:\.\d{1,9})?|\d{1,8}\.\d{6,9})\s+)?"
    r"(?:\(\+\s*[\d.]+\)\s+)?"
    r"(?P<rest>(?P<name>\w+)\(|<\.\.\. (?P<resumed>\w+) resumed>|\+\+\+ |--- |strace: )"
)
_UNFINISHED: Final = re.compile(r"\s*<unfinished \.\.\.>\s*\)?(?:\s+= \?)?\s*$")
_RESULT: Final = re.compile(r"\s*= (\?|-?(?:0x[0-9a-f]{1,16}|\d{1,20}))(.*?)(?:<(\d{1,9}\.\d{1,9})>)?\s*$", re.DOTALL)
_OTHER_RESULT: Final = re.compile(r"\)\s+= (?:\?|-?\d|0x)|<unfinished \.\.\.>$")
_ERROR: Final = re.compile(r" (E[A-Z0-9]+)\b")


class Clock(Enum):
    """What the times of a log count from."""

    EPOCH = "epoch"
    DAY = "midnight"
    START = "start"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that has ended. `thread` is 0 if the log has no thread ids; times are in ns, on the log's clock.

    `result` is None if it is unknown, `created` the descriptor that the result describes.
    """

    thread: int
    name: str
    arguments: list[Value]
    result: int | None
    created: Number | None
    error: str
    start: int
    end: int

    @property
    def first(self) -> Value:
        """The first argument, which is the descriptor of most calls."""
        return self.arguments[0] if self.arguments else ""

    @property
    def time(self) -> int:
        """When it took effect."""
        return self.start if self.name in _AT_START else self.end


@dataclass(frozen=True, slots=True)
class Exited:
    """A thread has ended."""

    thread: int
    time: int


@dataclass(slots=True)
class _Begun:
    """A call that has begun; those after it wait, because it takes effect before them."""

    text: str
    start: int
    holds: bool
    call: Call | None = None
    ended: bool = False


@dataclass(slots=True)
class StraceLog:
    """Reads a log line by line."""

    clock: Clock = Clock.NONE
    is_log: bool = False
    """Whether there were system calls, of whatever kind."""
    unreadable: int = 0
    """How many lines of such calls could not be read."""
    closes: bool = False
    """Whether the log has the calls that end descriptors."""
    _now: int = 0
    _begun: dict[int, _Begun] = field(default_factory=dict)
    _held: list[_Begun | Call | Exited] = field(default_factory=list)

    def feed(self, line: str) -> Iterator[Call | Exited]:
        """The calls that have taken effect up to this line."""
        match = _LINE.match(line)
        if match is None:
            return
        thread = int(match[1] or match[2] or 0)
        self._read_time(match[3])
        rest = line[match.start("rest") :]
        if match["resumed"]:
            self._resume(thread, line[match.end() :])
        elif match["name"]:
            self._call(thread, match["name"], rest)
        elif rest.startswith("+++ "):
            self._begun.pop(thread, None)
            self._held.append(Exited(thread, self._now))
        yield from self._released()

    def finish(self) -> Iterator[Call | Exited]:
        """What is held back at the end of the log."""
        held, self._held = self._held, []
        yield from (done for each in held if (done := _done(each)) is not None)

    def _call(self, thread: int, name: str, text: str) -> None:
        self.is_log = self.is_log or name in CALLS or bool(_OTHER_RESULT.search(text))
        if name not in CALLS:
            return
        self.closes = self.closes or name == "close"
        if match := _UNFINISHED.search(text):
            begun = self._begun[thread] = _Begun(text[: match.start()], self._now, name in _AT_START)
            if begun.holds:
                self._held.append(begun)
        elif (call := self._read(thread, text, self._now)) is not None:
            self._held.append(call)

    def _resume(self, thread: int, text: str) -> None:
        begun = self._begun.pop(thread, None)
        if begun is None:
            return
        call = self._read(thread, begun.text + text, begun.start)
        if begun.holds:
            begun.call, begun.ended = call, True
        elif call is not None:
            self._held.append(call)

    def _read(self, thread: int, text: str, start: int) -> Call | None:
        name, _, _ = text.partition("(")
        try:
            arguments, place = parse_arguments(text, len(name) + 1)
            match = _RESULT.match(text, place)
            if match is None:
                raise NotArgumentsError("no result")
            described = parse_descriptor(match[1] + match[2]) if match[2].startswith("<") else None
        except NotArgumentsError:
            self.unreadable += 1
            return None
        result = None if match[1] == "?" else number(match[1])
        error = _ERROR.match(match[2])
        taken = round(float(match[3]) * SECOND) if match[3] else 0
        end = max(self._now, start + taken)
        return Call(thread, name, arguments, result, described, error[1] if error else "", start, end)

    def _released(self) -> Iterator[Call | Exited]:
        while self._held:
            first = self._held[0]
            if isinstance(first, _Begun) and not first.ended:
                if len(self._held) <= _MOST_HELD:
                    return
                # It has not ended for long: those after it go first.
                first.holds = False
                del self._held[0]
                continue
            del self._held[0]
            if (done := _done(first)) is not None:
                yield done

    def _read_time(self, text: str | None) -> None:
        if text is None:
            return
        if ":" in text:
            hours, minutes, seconds = text.split(":")
            time = (int(hours) * 3600 + int(minutes) * 60) * SECOND + _nanoseconds(seconds)
            while time < self._now - _DAY // 2:
                time += _DAY
            clock = Clock.DAY
        elif len(text.partition(".")[0]) >= 9:
            time, clock = _nanoseconds(text), Clock.EPOCH
        else:
            time, clock = self._now + _nanoseconds(text), Clock.START
        self._now = min(max(self._now, time), MOST_TIME)
        if self.clock is Clock.NONE:
            self.clock = clock


def _done(each: "_Begun | Call | Exited") -> "Call | Exited | None":
    return each.call if isinstance(each, _Begun) else each


def _nanoseconds(text: str) -> int:
    seconds, _, fraction = text.partition(".")
    return int(seconds) * SECOND + int(fraction.ljust(9, "0"))
