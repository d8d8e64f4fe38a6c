"""A guest's display: QEMU's vhost-user-gpu device and the program vhost-user-gpu, which uses the GPU channel."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.peers.guest import Guest, guest
from tests.peers.processes import PeerError, Process, running, wait_for_listener
from tests.peers.proxy import recorded
from tests.peers.situations.situation import Situation

WIDTH, HEIGHT = 1280, 800  # of the display, in pixels
SHADE = 0x76  # of the grey that the guest draws

_SCRIPT = f"""
until [ -e /dev/fb0 ]; do sleep 0.1; done
tr '\\0' '\\{SHADE:o}' < /dev/zero | dd of=/dev/fb0 bs={WIDTH * HEIGHT * 4} count=1 iflag=fullblock 2> /dev/null
echo RESULT drawn=yes
read seen
"""
_PICTURE = "screen.ppm"
_HEADER = b"P6\n%d %d\n255\n" % (WIDTH, HEIGHT)
_TIMEOUT = 30.0
# The pixels of one update of the display are 4 MB.
_SNAPLEN = ("--snaplen", "2048")


@dataclass(frozen=True)
class Picture:
    """What the display shows: `grey` is the share of the pixels with the shade, from 0 to 1."""

    grey: float


@dataclass(frozen=True)
class Gpu(Situation[Guest, Process, Picture]):
    """A guest draws on its display. The pixels are left out of the capture."""

    @contextmanager
    def back_end(self, folder: Path, socket: str) -> Iterator[Process]:
        command = [self.back.program("vhost-user-gpu", "qemu-system-gui"), f"--socket-path={socket}"]
        with running("vhost-user-gpu", command, folder, within=self.back.within) as process:
            wait_for_listener(socket, process)
            yield process

    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        devices = ["-chardev", f"socket,id=gpu,path={socket}", "-device", "vhost-user-gpu-pci,chardev=gpu"]
        append = "vt.global_cursor_default=0"  # no blinking cursor
        return guest(_SCRIPT, folder, modules=("virtio-gpu",), devices=devices, append=append, release=self.front)

    def act(self, folder: Path, front_end: Guest, back_end: Process) -> Picture:
        front_end.wait_for("drawn")
        deadline = time.monotonic() + _TIMEOUT
        with front_end.monitor() as monitor:
            # The guest's kernel updates the display some time later.
            while (picture := _picture(folder, monitor.execute("screendump", filename=_PICTURE))).grey < 0.9:
                if time.monotonic() > deadline:
                    raise PeerError(f"only {picture.grey:.0%} of the display are grey after {_TIMEOUT:.0f} s")
                time.sleep(0.1)
        front_end.process.say("seen")
        front_end.results()
        return picture

    def record(self, folder: Path, capture: Path, options: Sequence[str] = ()) -> Picture:
        return self.run(folder, partial(recorded, capture, options=(*_SNAPLEN, *options)))


def _picture(folder: Path, _dumped: object) -> Picture:
    data = (folder / _PICTURE).read_bytes()
    if not data.startswith(_HEADER):
        return Picture(0.0)
    return Picture(data[len(_HEADER) :].count(SHADE) / (3 * WIDTH * HEIGHT))
