"""A file system: FUSE_INIT, which every session begins with and may repeat, and questions about the root."""

from collections.abc import Callable

from vudissect.check.devices.path import DataPath, Request
from vudissect.check.memory import Arena
from vudissect.rings.fs import (
    ANSWER_SIZE,
    CREATE_IN,
    ENTRY_SIZE,
    IN_HEADER,
    OUT_HEADER,
    REMOVE_MAPPING,
    SETUP_MAPPING,
    Opcode,
    init_request,
    problem_of,
    read_answer,
    request,
)

_ENOENT, _ENOSYS = -2, -38
_ABSENT = b"vudissect-is-not-here\0"
_NO_OPCODE = 0x7777
_FORGET_ONE = (1).to_bytes(8, "little")
_MODE_AT = 16 + 60
_FORMAT, _DIRECTORY = 0o170000, 0o040000
_GETATTR_IN = 16
_PIECE = 8
_FILE = b"vudissect-maps-this\0"
_READ_WRITE, _MODE = 2, 0o100600
_MAP_AT, _MAP_SIZE, _MAP_READ, _MAP_WRITE = 4096, 8192, 2, 1

Make = Callable[[Arena], Request]


def _asked(arena: Arena, data: bytes, problem: Callable[[bytes], str], room: int = ANSWER_SIZE) -> Request:
    answer = arena.buffer(room, writable=True)
    return Request([arena.buffer(data), answer], lambda _: problem(arena.read(answer)))


def _init(arena: Arena) -> Request:
    return _asked(arena, init_request(), problem_of)


def _fails(opcode: int, body: bytes, error: int) -> Make:
    return lambda arena: _asked(arena, request(opcode, body), lambda data: problem_of(data, error))


def _root(data: bytes) -> str:
    problem = problem_of(data)
    mode = int.from_bytes(read_answer(data).body[_MODE_AT : _MODE_AT + 4], "little")
    return problem or ("" if mode & _FORMAT == _DIRECTORY else f"the root has mode {mode:o}, which is not a directory")


def _forget(arena: Arena) -> Request:
    data = request(Opcode.FORGET, _FORGET_ONE)
    answer = arena.buffer(ANSWER_SIZE, writable=True)
    return Request(
        [arena.buffer(data), answer], lambda written: "" if not written else f"it is answered with {written} bytes"
    )


def _create(arena: Arena) -> Request:
    data = request(Opcode.CREATE, CREATE_IN.pack(_READ_WRITE, _MODE, 0, 0) + _FILE)

    def problem(answer: bytes) -> str:
        wrong = problem_of(answer)
        if not wrong:
            body = read_answer(answer).body
            arena.remembered["node"], arena.remembered["file"] = (
                int.from_bytes(body[start : start + 8], "little") for start in (0, ENTRY_SIZE)
            )
        return wrong

    return _asked(arena, data, problem, OUT_HEADER.size + ENTRY_SIZE + 16)


def _map(problem: Callable[[bytes], str]) -> Make:
    def make(arena: Arena) -> Request:
        mapping = (arena.remembered["file"], 0, _MAP_SIZE, _MAP_READ | _MAP_WRITE, _MAP_AT)
        data = request(Opcode.SETUPMAPPING, SETUP_MAPPING.pack(*mapping), node=arena.remembered["node"])
        return _asked(arena, data, problem)

    return make


def _done(answer: bytes) -> str:
    error = read_answer(answer).error
    return f"the answer has error {error}" if error else ""


def _refused(answer: bytes) -> str:
    return "" if read_answer(answer).error else "it is answered as if it had been done"


def _anything(_: bytes) -> str:
    return ""


def _too_long(arena: Arena) -> Request:
    data = bytearray(request(Opcode.STATFS))
    data[:4] = (1 << 20).to_bytes(4, "little")
    return _asked(arena, bytes(data), _anything)


def _in_pieces(arena: Arena) -> Request:
    pieces = [arena.buffer(_PIECE, writable=True) for _ in range(0, ANSWER_SIZE, _PIECE)]
    return Request(
        [arena.buffer(init_request()), *pieces], lambda _: problem_of(b"".join(arena.read(each) for each in pieces))
    )


PATH = DataPath(
    "fs",
    rings=(0, 1),
    ring=1,
    request=_init,
    requests={
        "look up what is not there": _fails(Opcode.LOOKUP, _ABSENT, _ENOENT),
        "attributes of the root": lambda arena: _asked(arena, request(Opcode.GETATTR, bytes(_GETATTR_IN)), _root),
        "unknown opcode": _fails(_NO_OPCODE, b"", _ENOSYS),
        "longer than it is": _too_long,
        "short header": lambda arena: _asked(arena, request(Opcode.STATFS)[: IN_HEADER.size // 2], _anything),
        "forget": _forget,
        "statistics": lambda arena: _asked(arena, request(Opcode.STATFS), problem_of),
        "no room for the answer": lambda arena: _asked(arena, request(Opcode.STATFS), _anything, OUT_HEADER.size // 2),
        "answer in pieces": _in_pieces,
        "create a file": _create,
        "map the file": _map(_done),
        "map the file, in vain": _map(_refused),
        "unmap the file": lambda arena: _asked(
            arena, request(Opcode.REMOVEMAPPING, REMOVE_MAPPING.pack(1, _MAP_AT, _MAP_SIZE)), _done
        ),
        "remove the file": lambda arena: _asked(arena, request(Opcode.UNLINK, _FILE), _done),
    },
)
