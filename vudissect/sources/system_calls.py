"""System calls to what happens on sockets: bytes and files that are sent and received, and ends.

What a call does to descriptors is followed for every process of the log, so that a file keeps its identity when its
number is reused.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from vudissect.host.descriptor import DescriptorKind
from vudissect.sources.files import File, Files, Process
from vudissect.sources.socket_names import may_be_unix
from vudissect.sources.strace import RECEIVES, SENDS, Call, Exited
from vudissect.sources.values import Number, Text, Value

# Longer reads and writes are not messages.
_MOST_BYTES: Final = 1 << 23
_MOST_PASSED: Final = 253
_TWO: Final = 2
_EVENTFD: Final = "anon_inode:[eventfd]"
_USERFAULTFD: Final = "anon_inode:[userfaultfd]"


@dataclass(frozen=True, slots=True)
class Transfer:
    """Bytes that a process has sent or received on a socket, with the files that came with them.

    `data` has zeros for bytes that the log does not show; `known` has a zero for each of these, else a one.
    `lost`: the kernel has dropped files.
    """

    process: Process
    socket: File
    is_sent: bool
    time: int
    data: bytes
    known: bytes
    files: tuple[File, ...] = ()
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """A socket has ended: the process has closed it, or, with `by_peer`, its other end has."""

    socket: File
    time: int
    by_peer: bool
    how: str = "eof"


Happening = Transfer | Ended


class SystemCalls:
    """Follows the descriptors of all processes of a log."""

    def __init__(self, label: str = "") -> None:
        self.files = Files(label)
        self._processes: dict[int, Process] = {}
        self._first: Process | None = None

    def process(self, thread: int, socket: Value = 0) -> Process:
        """The process of a thread that uses a socket.

        A thread whose beginning is not in the log is one of the first process, unless that has another file there.
        """
        process = self._processes.get(thread)
        if process is None:
            process = self._first
            if process is not None:
                file = process.files.get(_number(socket))
                process = process if file is None or file.fits(_about(socket)) else None
            process = process or Process(thread)
            self._first = self._first or process
            self._processes[thread] = process
            process.threads.add(thread)
        return process

    def begin(self, thread: int, threads: Collection[int] = ()) -> Process:
        """A process of its own begins with this thread, or has these."""
        process = Process(thread, threads={thread, *threads})
        self._processes |= dict.fromkeys(process.threads, process)
        return process

    def feed(self, each: Call | Exited) -> Iterator[Happening]:
        """What a call does, if it is about sockets."""
        if isinstance(each, Exited):
            yield from self._exited(each)
        elif each.name in SENDS or each.name in RECEIVES:
            yield from self._transfer(each)
        elif each.result is not None and each.result >= 0:
            process = self.process(each.thread)
            yield from (Ended(file, each.time, False) for file in self._changed(process, each))

    def _exited(self, each: Exited) -> Iterator[Happening]:
        process = self._processes.pop(each.thread, None)
        if process is None:
            return
        process.threads.discard(each.thread)
        if not process.threads:
            yield from (Ended(file, each.time, False) for file in process.end())

    def _changed(self, process: Process, call: Call) -> Iterator[File]:
        """Follow a call that makes or ends descriptors; returns the files that end."""
        match call.name:
            case "close":
                yield from process.close(_number(call.first))
            case "close_range":
                low, high = _number(call.first), _number(call.arguments[1]) if len(call.arguments) > 1 else -1
                for number in [number for number in process.files if low <= number and (number <= high or high < 0)]:
                    yield from process.close(number)
            case "dup" | "dup2" | "dup3":
                yield from self._duplicated(process, call)
            case "fcntl" | "fcntl64":
                if any(each.startswith("F_DUPFD") for each in _flags(call)):
                    yield from self._duplicated(process, call)
            case "accept" | "accept4" | "socket":
                yield from self._made(process, call, self.files.new(is_new=True))
            case "connect":
                self._at(process, call.first).is_new = True
            case "socketpair":
                yield from self._paired(process, call.arguments[-1] if call.arguments else "")
            case "eventfd" | "eventfd2":
                yield from self._made(process, call, self.files.new(_EVENTFD, is_new=True))
            case "userfaultfd":
                yield from self._made(process, call, self.files.new(_USERFAULTFD, is_new=True))
            case "memfd_create":
                name = call.first.data.decode(errors="backslashreplace") if isinstance(call.first, Text) else ""
                yield from self._made(process, call, self.files.new(f"/memfd:{name} (deleted)", is_new=True))
            case "clone" | "clone3" | "fork" | "vfork":
                self._cloned(process, call)
            case "execve":
                if isinstance(call.first, Text) and not call.first.cut:
                    process.executable = call.first.data.decode(errors="backslashreplace")

    def _made(self, process: Process, call: Call, file: File) -> Iterator[File]:
        assert call.result is not None
        if about := _about_result(call):
            file.describe(about)
        return process.set(call.result, file)

    def _paired(self, process: Process, ends: Value) -> Iterator[File]:
        numbers = ends if isinstance(ends, list) and len(ends) == _TWO else []
        files = [self.files.new(_about(each), is_new=True) for each in numbers]
        for each, file, peer in zip(numbers, files, reversed(files), strict=True):
            file.kind, file.pair = DescriptorKind.SOCKET, peer
            yield from process.set(_number(each), file)

    def _duplicated(self, process: Process, call: Call) -> Iterator[File]:
        assert call.result is not None
        file = self._at(process, call.first)
        if process.files.get(call.result) is not file:
            file.uses += 1
            yield from process.set(call.result, file)

    def _cloned(self, process: Process, call: Call) -> None:
        assert call.result is not None
        if not call.result:
            return
        if "CLONE_FILES" in str(call.arguments):
            process.threads.add(call.result)
            self._processes[call.result] = process
        else:
            child = self.begin(call.result)
            child.executable = process.executable
            child.files = dict(process.files)
            for file in child.files.values():
                file.uses += 1

    def _transfer(self, call: Call) -> Iterator[Happening]:
        if not may_be_unix(_about(call.first)) or any("MSG_PEEK" in each for each in _flags(call)):
            return
        is_sent = call.name in SENDS
        if call.result is None or call.result <= 0:
            yield from self._nothing(call, is_sent)
            return
        process = self.process(call.thread, call.first)
        if call.result > _MOST_BYTES:
            return
        data, known = _bytes_of(call, call.result)
        passed, lost = _passed(call)
        files = []
        for each in passed:
            if is_sent:
                files.append(self._at(process, each))
            else:
                file = self.files.new(_about(each), received=True)
                files.append(file)
                # Those that it replaces were closed without a trace.
                yield from (Ended(old, call.time, False) for old in process.set(_number(each), file))
        socket = self._at(process, call.first)
        yield Transfer(process, socket, is_sent, call.time, data, known, tuple(files), lost)

    def _nothing(self, call: Call, is_sent: bool) -> Iterator[Happening]:
        """A call that moved no bytes: the other end may be gone."""
        socket = self.process(call.thread).files.get(_number(call.first))
        if socket is None:
            return
        if call.result == 0 and not is_sent and _asked(call):
            yield Ended(socket, call.time, True)
        elif call.error == "ECONNRESET":
            yield Ended(socket, call.time, True, "reset")
        elif call.error == "EPIPE":
            yield Ended(socket, call.time, True, "stopped reading")

    def _at(self, process: Process, value: Value) -> File:
        """The file of a descriptor, which may not have been seen before."""
        number, about = _number(value), _about(value)
        file = process.files.get(number)
        if file is None or not file.fits(about):
            file = process.files[number] = self.files.new(about)
        elif about:
            file.describe(about)
        return file


def _number(value: Value) -> int:
    if isinstance(value, Number):
        return value.value
    return value if isinstance(value, int) else -1


def _about(value: Value) -> str:
    return value.about if isinstance(value, Number) else ""


def _flags(call: Call) -> list[str]:
    return [each for each in call.arguments if isinstance(each, str)]


def _about_result(call: Call) -> str:
    return call.created.about if call.created is not None else ""


def _parts(call: Call) -> list[tuple[Value, Value]]:
    """The buffers of a call, each with its length."""
    match call.name, call.arguments:
        case (("sendmsg" | "recvmsg"), [_, dict(message), *_]):
            vectors = message.get("msg_iov")
        case (("writev" | "readv"), [_, vectors, *_]):
            pass
        case _, [_, buffer, length, *_]:
            return [(buffer, length)]
        case _:
            return []
    if not isinstance(vectors, list):
        return []
    return [(each.get("iov_base", ""), each.get("iov_len", 0)) for each in vectors if isinstance(each, dict)]


def _asked(call: Call) -> bool:
    """Whether a read had room for bytes: without, 0 is not the end."""
    return any(isinstance(length, int) and length > 0 for _, length in _parts(call))


def _bytes_of(call: Call, length: int) -> tuple[bytes, bytes]:
    """The bytes that were moved, and which of them the log shows."""
    data, known = bytearray(), bytearray()
    for buffer, room in _parts(call):
        size = min(length - len(data), room if isinstance(room, int) else length)
        if size <= 0:
            continue
        shown = buffer.data[:size] if isinstance(buffer, Text) else b""
        data += shown.ljust(size, b"\0")
        known += (b"\1" * len(shown)).ljust(size, b"\0")
    missing = length - len(data)
    if missing > 0:  # arrays that are abbreviated
        data += bytes(missing)
        known += bytes(missing)
    return bytes(data), bytes(known)


def _passed(call: Call) -> tuple[list[Value], bool]:
    """The descriptors that came along, and whether the kernel has dropped some."""
    match call.name, call.arguments:
        case (("sendmsg" | "recvmsg"), [_, dict(message), *_]):
            pass
        case _:
            return [], False
    found: list[Value] = []
    controls = message.get("msg_control")
    for each in controls if isinstance(controls, list) else ():
        if isinstance(each, dict) and each.get("cmsg_type") == "SCM_RIGHTS":
            passed = each.get("cmsg_data")
            found += [fd for fd in passed if _number(fd) >= 0] if isinstance(passed, list) else []
    return found[:_MOST_PASSED], "MSG_CTRUNC" in str(message.get("msg_flags", ""))
