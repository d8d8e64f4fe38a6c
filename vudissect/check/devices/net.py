"""A network device: a frame is sent that nobody answers."""

from vudissect.check.devices.path import DataPath, Request
from vudissect.check.memory import Arena
from vudissect.rings.net import packet


def _send(arena: Arena) -> Request:
    return Request([arena.buffer(packet())], lambda _: "")


PATH = DataPath("net", rings=(0, 1), ring=1, request=_send, runs_disabled=True)
