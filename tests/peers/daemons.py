"""The back-ends for a guest's disk and file system; they listen when the block begins."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.peers.processes import PeerError, Process, running, wait_for_listener
from tests.peers.releases import Release

# Not on the PATH: usually libvirt starts it.
VIRTIOFSD = Path("/usr/lib/qemu/virtiofsd")
VIRTIOFSD_LOCKS = Path("/var/run/virtiofsd")


@contextmanager
def storage_daemon(
    image: Path,
    socket: str,
    folder: Path,
    *,
    queues: int = 1,
    shared: bool = False,
    options: Sequence[str] = (),
    name: str = "storage-daemon",
    release: Release = Release.BOOKWORM,
) -> Iterator[Process]:
    """qemu-storage-daemon exporting the raw `image` as a vhost-user-blk device; `shared` if another one does, too."""
    file = f"driver=file,node-name=file,filename={image}"
    export = f"type=vhost-user-blk,id=disk,node-name=disk,writable=on,num-queues={queues}"
    command = [
        release.program("qemu-storage-daemon", "qemu-system-common" if release is Release.BOOKWORM else "qemu-utils"),
        *("--blockdev", f"{file},locking=off" if shared else file),
        *("--blockdev", "driver=raw,node-name=disk,file=file"),
        *("--export", f"{export},addr.type=unix,addr.path={socket}"),
        *options,
    ]
    with running(name, command, folder, within=release.within) as process:
        wait_for_listener(socket, process)
        yield process


@contextmanager
def virtiofsd_in_rust(shared: Path, socket: str, folder: Path, name: str = "virtiofsd") -> Iterator[Process]:
    """The virtiofsd in Rust, from its own Debian package, sharing a directory."""
    release = Release.TRIXIE
    command = [
        release.program("virtiofsd", "virtiofsd"),
        *(f"--socket-path={socket}", f"--shared-dir={shared}"),
        "--sandbox=chroot",  # by default a child listens, in namespaces
    ]
    with running(name, command, folder, within=release.within) as process:
        wait_for_listener(socket, process)
        yield process


@contextmanager
def virtiofsd(shared: Path, socket: str, folder: Path) -> Iterator[Process]:
    """The virtiofsd in C, from Debian's QEMU package, sharing a directory."""
    if not VIRTIOFSD.exists():
        raise PeerError(f"{VIRTIOFSD} is not installed; on Debian: apt install qemu-system-common")
    # It locks a file named after the path, so the path must be unique, and does not remove the file. Its default
    # sandbox needs namespaces, which a container may not permit.
    path = os.fspath(folder / socket)
    command = [os.fspath(VIRTIOFSD), f"--socket-path={path}", "-o", f"source={shared}", "-o", "sandbox=chroot"]
    try:
        with running("virtiofsd", command, folder) as process:
            wait_for_listener(path, process)
            yield process
    finally:
        (VIRTIOFSD_LOCKS / f"{path.replace('/', '.')}.pid").unlink(missing_ok=True)
