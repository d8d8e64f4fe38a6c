"""A file system: FUSE_INIT, which every session begins with and may repeat."""

from vudissect.check.devices.path import DataPath, Request
from vudissect.check.memory import Arena
from vudissect.rings.fs import ANSWER_SIZE, init_request, problem_of


def _init(arena: Arena) -> Request:
    answer = arena.buffer(ANSWER_SIZE, writable=True)
    return Request([arena.buffer(init_request()), answer], lambda _: problem_of(arena.read(answer)))


PATH = DataPath("fs", rings=(0, 1), ring=1, request=_init)
