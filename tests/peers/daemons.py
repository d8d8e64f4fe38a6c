"""The back-ends for a guest's disk and file system, listening when the block begins."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.processes import PeerError, Process, program, running, wait_for_listener

# Not on the PATH: QEMU starts it itself where libvirt is in charge.
_VIRTIOFSD = Path("/usr/lib/qemu/virtiofsd")


@contextmanager
def storage_daemon(image: Path, socket: str, folder: Path) -> Iterator[Process]:
    """qemu-storage-daemon that exports the raw `image` as a vhost-user-blk device."""
    command = [
        program("qemu-storage-daemon", "qemu-system-common"),
        *("--blockdev", f"driver=file,node-name=file,filename={image}"),
        *("--blockdev", "driver=raw,node-name=disk,file=file"),
        *("--export", f"type=vhost-user-blk,id=disk,node-name=disk,writable=on,addr.type=unix,addr.path={socket}"),
    ]
    with running("storage-daemon", command, folder) as process:
        wait_for_listener(socket, process)
        yield process


@contextmanager
def virtiofsd(shared: Path, socket: str, folder: Path) -> Iterator[Process]:
    """The virtiofsd in C that Debian ships with QEMU, sharing a directory."""
    if not _VIRTIOFSD.exists():
        raise PeerError(f"{_VIRTIOFSD} is not installed; on Debian: apt install qemu-system-common")
    # Its default sandbox needs namespaces, which a container may not give.
    command = [os.fspath(_VIRTIOFSD), f"--socket-path={socket}", "-o", f"source={shared}", "-o", "sandbox=chroot"]
    with running("virtiofsd", command, folder) as process:
        wait_for_listener(socket, process)
        yield process
