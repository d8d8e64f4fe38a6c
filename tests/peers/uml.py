"""User-Mode Linux: a kernel that is a process, and a front-end by itself: a whole session in two seconds, no QEMU."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.guest import build_initramfs
from tests.peers.journal import note_script
from tests.peers.processes import PeerError, Process, program, running

DISK = 2  # the virtio device id of a disk
SHARED = 120292 << 10  # of 128 MiB: the kernel itself is not in it

_MODULES = Path("/usr/lib/uml/modules")
_STATE = Path(__file__).with_name("xstate.c")


@contextmanager
def uml(
    script: str, folder: Path, *, modules: tuple[str, ...], device: int, socket: str, name: str = "guest"
) -> Iterator[Process]:
    """A kernel with one device (a virtio device id) at `socket`, whose guest runs `script` and halts."""
    note_script(folder, name, script)
    kernel = program("linux.uml", "user-mode-linux")
    initramfs = build_initramfs(script, modules, folder / f"{name}-initramfs", _modules())
    command = [
        *(kernel, "mem=128M", f"initrd={initramfs}", "rdinit=/init", "con=null", "con0=null,fd:1", "quiet"),
        f"virtio_uml.device={socket}:{device}",
    ]
    with running(name, command, folder, within=("env", f"LD_PRELOAD={_state_shim(folder)}")) as process:
        yield process


def _modules() -> Path:
    found = sorted(_MODULES.glob("*"))
    if not found:
        raise PeerError(f"no modules in {_MODULES}; on Debian: apt install user-mode-linux")
    return found[-1]


def _state_shim(folder: Path) -> Path:
    """What lets User-Mode Linux of bookworm run on processors that are newer than it."""
    shim = folder / "xstate.so"
    command = [program("gcc", "gcc"), "-O2", "-shared", "-fPIC", "-o", os.fspath(shim), os.fspath(_STATE)]
    subprocess.run(command, check=True)
    return shim
