"""Lines that the kernel's tracing prints to system calls, in the order in which they took effect.

`vudissect.host.kernel_trace` describes the lines. Those of one call come together, but calls on different processors do
not come in order: a call waits until nothing older can come. Its thread is the process: descriptors belong to that.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from errno import errorcode
from heapq import heapify, heappop, heappush
from stat import S_ISSOCK
from typing import Final

from vudissect.sources.strace import Call, Exited
from vudissect.sources.values import Number, Text, Value

FindPath = Callable[[int, int, int], str]
"""The path of a file, by process, descriptor and inode; empty if the descriptor is another file by now."""

DELAY: Final = 200_000_000
"""How long (ns) a call may wait for those of other processors: up to two ticks."""
_ORDER: Final = DELAY // 2
_MOST_PENDING: Final = 1 << 12
_LOST: Final = re.compile(r"Lost (\d{1,18}) events")
_ANONYMOUS: Final = 0x09041934
_PIPES: Final = 0x50495045
_OF_MEMORY: Final = "memfd:"
_UNIX: Final = 1
_STREAM: Final = 1
_CUT: Final = 0x8  # MSG_CTRUNC
_DUPLICATE: Final = (0, 1030)  # F_DUPFD, F_DUPFD_CLOEXEC
_VECTORS: Final = frozenset({"readv", "writev"})
_MESSAGES: Final = frozenset({"sendmsg", "recvmsg"})
_BUFFERS: Final = frozenset({"read", "write", "sendto", "recvfrom"})
_TRANSFERS: Final = _VECTORS | _MESSAGES | _BUFFERS
_TWO: Final = 2


@dataclass(frozen=True, slots=True)
class Lost:
    """Events before this time were not printed, as the processes were faster than the reader. Calls are missing."""

    events: int
    time: int


@dataclass(slots=True)
class _Pending:
    """A call whose lines are still coming."""

    process: int
    name: str
    result: int
    start: int
    first: int
    second: int
    descriptors: dict[int, Number] = field(default_factory=dict)
    lengths: dict[int, int] = field(default_factory=dict)
    buffers: dict[int, bytearray] = field(default_factory=dict)
    lines: int = 0


class KernelTrace:
    """Reads lines. `epoch` is the time (ns since the epoch) of the kernel's time 0."""

    def __init__(self, epoch: int, path: FindPath = lambda process, number, inode: "") -> None:
        self._epoch = epoch
        self._path = path
        self._now = 0
        self._count = 0
        self._lost = self._ticks = self._since = 0
        self._serials: dict[str, int] = {}
        self._pending: dict[tuple[str, str], _Pending] = {}
        self._waiting: list[tuple[int, int, Call | Exited | Lost, str, int]] = []

    def feed(self, line: str) -> Iterator[Call | Exited | Lost]:
        """The calls that nothing older can follow. A line of another form is skipped."""
        try:
            self._read(line)
        except (ValueError, IndexError, KeyError):
            return
        yield from self._released(self._now - _ORDER)

    def finish(self) -> Iterator[Call | Exited | Lost]:
        """Those that waited at the end."""
        if self._lost:
            self._resume()
        yield from self._released(None)

    def _read(self, line: str) -> None:
        if match := _LOST.match(line):
            self._lose(int(match[1]))
            return
        kind, *words = line.split(" ")
        if kind == "T":
            self._now = max(self._now, int(words[0]))
            self._ticks += 1
            if self._lost and self._ticks == _TWO:
                self._resume()
        elif kind == "X":
            self._add(int(words[1]), Exited(int(words[0]), self._epoch + int(words[1])))
        elif kind == "C":
            self._begin(words)
        else:
            self._continue(kind, (words[0], words[1]), words[2:])

    def _begin(self, words: list[str]) -> None:
        key, name = (words[0], words[1]), words[4]
        start, process, result, first, second = (int(words[place]) for place in (2, 3, 5, 6, 7))
        call = _Pending(process, name, result, start, first, second)
        if name not in _TRANSFERS:
            self._complete(key, call, _plain_arguments(call))
            return
        if self._lost:
            return
        self._pending[key] = call
        if len(self._pending) > _MOST_PENDING:
            del self._pending[next(iter(self._pending))]

    def _continue(self, kind: str, key: tuple[str, str], words: list[str]) -> None:
        call = self._pending[key]
        if kind == ".":
            del self._pending[key]
            flags, passed, lines, serial = map(int, words)
            if call.lines == lines:
                self._complete(key, call, _arguments(call, flags=flags, passed=passed), serial)
            return
        call.lines += 1
        if kind == "F":
            number, mode, magic, inode = int(words[1]), int(words[2], 8), int(words[3], 16), int(words[4])
            about = _about(mode, magic, inode, int(words[5]), int(words[6]), _text(words[7]))
            call.descriptors[int(words[0])] = Number(number, about or self._path(call.process, number, inode))
        elif kind == "V":
            call.lengths[int(words[0])] = int(words[1])
        elif kind == "B":
            buffer = call.buffers.setdefault(int(words[0]), bytearray())
            if len(buffer) == int(words[1]):
                buffer += _bytes(words[2])

    def _complete(self, key: tuple[str, str], call: _Pending, arguments: list[Value], serial: int = 0) -> None:
        end = int(key[1])
        error = errorcode.get(-call.result, "") if call.result < 0 else ""
        start, result = self._epoch + call.start, call.result
        done = Call(call.process, call.name, arguments, result, None, error, start, self._epoch + end)
        if call.name in _TRANSFERS and done.time - self._epoch < self._since:
            return
        self._add(done.time - self._epoch, done, key[0], serial)

    def _lose(self, events: int) -> None:
        """What came shortly before and comes shortly after has holes at unknown places: it is lost, too."""
        self._lost += events
        self._ticks = 0
        self._pending.clear()
        self._waiting = [each for each in self._waiting if not _is_transfer(each[2])]
        heapify(self._waiting)

    def _resume(self) -> None:
        self._since = self._now
        self._add(self._now, Lost(self._lost, self._epoch + self._now))
        self._lost = 0

    def _add(self, time: int, item: Call | Exited | Lost, thread: str = "", serial: int = 0) -> None:
        self._count += 1
        heappush(self._waiting, (time, self._count, item, thread, serial))

    def _released(self, before: int | None) -> Iterator[Call | Exited | Lost]:
        while self._waiting and (before is None or self._waiting[0][0] < before):
            time, _, item, thread, serial = heappop(self._waiting)
            if isinstance(item, Lost):
                self._serials.clear()
            elif serial:
                missing = serial - 1 - self._serials.get(thread, serial - 1)
                if missing < 0:  # It comes too late, and was counted as lost.
                    continue
                self._serials[thread] = serial
                if missing:
                    yield Lost(missing, self._epoch + time)
            yield item


def _is_transfer(item: Call | Exited | Lost) -> bool:
    return isinstance(item, Call) and item.name in _TRANSFERS


def _plain_arguments(call: _Pending) -> list[Value]:
    if call.name == "fcntl":
        return [call.first, "F_DUPFD" if call.second in _DUPLICATE else ""]
    return [call.first, call.second]


def _arguments(call: _Pending, *, flags: int, passed: int) -> list[Value]:
    """The arguments as strace has them."""
    socket = call.descriptors[-1]
    if call.name in _BUFFERS:
        return [socket, _shown(call, 0), call.second]
    vectors: list[Value] = [{"iov_base": _shown(call, place), "iov_len": size} for place, size in call.lengths.items()]
    if call.name in _VECTORS:
        return [socket, vectors]
    # What is not described is left out, but it was there.
    files: list[Value] = [call.descriptors[place] for place in range(passed) if place in call.descriptors]
    control: list[Value] = [{"cmsg_type": "SCM_RIGHTS", "cmsg_data": files}] if files else []
    is_cut = (call.name == "recvmsg" and flags & _CUT) or len(files) < passed
    return [
        socket,
        {"msg_iov": vectors, "msg_control": control, "msg_flags": "MSG_CTRUNC" if is_cut else ""},
    ]


def _shown(call: _Pending, place: int) -> Text:
    return Text(bytes(call.buffers.get(place, b"")))


def _about(mode: int, magic: int, inode: int, kind: int, peer: int, name: str) -> str:
    """What a descriptor is, as strace prints it; empty if only its path says it."""
    if S_ISSOCK(mode):
        if kind != _UNIX << 8 | _STREAM:
            return f"socket:[{inode}]"
        return f"UNIX-STREAM:[{inode}->{peer}]" if peer else f"UNIX-STREAM:[{inode}]"
    if magic == _ANONYMOUS:
        return f"anon_inode:{name}"
    if magic == _PIPES:
        return f"pipe:[{inode}]"
    return f"/{name} (deleted)" if name.startswith(_OF_MEMORY) else ""


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _text(text: str) -> str:
    return _bytes(text).partition(b"\0")[0].decode(errors="backslashreplace")
