"""A small Linux guest: Debian's cloud kernel, a busybox initramfs built on the spot, QEMU under TCG.

The guest runs one shell script and powers off. What it found out it prints as `RESULT name=value`.
"""

import lzma
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.processes import PeerError, Process, program, running

MEMORY = 256  # MiB

_KERNEL_PACKAGE = "linux-image-cloud-amd64"
_PATIENCE = 60.0

_INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
while read module; do insmod $module; done < /modules
sh -e /script && echo RESULT finished=yes
poweroff -f
"""


def kernel() -> Path:
    """The newest cloud kernel of Debian that is installed."""
    kernels = sorted(Path("/boot").glob("vmlinuz-*-cloud-amd64"), key=os.path.getmtime)
    if not kernels:
        raise PeerError(f"no cloud kernel in /boot; on Debian: apt install {_KERNEL_PACKAGE}")
    return kernels[-1]


def build_initramfs(script: str, modules: tuple[str, ...], folder: Path) -> Path:
    """An initramfs whose init loads `modules`, with what they need, and runs `script`."""
    root = folder / "initramfs"
    for name in ("bin", "dev", "proc", "sys", "mnt", "lib"):
        (root / name).mkdir(parents=True)
    shutil.copy(program("busybox", "busybox-static"), root / "bin/busybox")
    (root / "init").write_text(_INIT)
    (root / "init").chmod(0o755)
    (root / "script").write_text(script)
    release = kernel().name.removeprefix("vmlinuz-")
    in_order = [_install_module(path, root) for path in _with_dependencies(modules, Path("/lib/modules", release))]
    (root / "modules").write_text("".join(f"{path}\n" for path in in_order))
    image = folder / "initramfs.cpio"
    names = "\n".join(os.fspath(path.relative_to(root)) for path in sorted(root.rglob("*")))
    with image.open("wb") as output:
        subprocess.run(
            [program("cpio", "cpio"), "--create", "--format=newc", "--quiet", "--owner=0:0"],
            cwd=root,
            input=names.encode(),
            stdout=output,
            check=True,
        )
    return image


def _with_dependencies(modules: tuple[str, ...], folder: Path) -> list[Path]:
    """Files of the modules and of all that they need, in the order in which they can be loaded."""
    needs: dict[str, list[str]] = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        path, _, needed = line.partition(":")
        # modules.dep names what must be loaded first last.
        needs[path] = needed.split()[::-1]
    by_name = {Path(path).name.split(".")[0]: path for path in needs}
    paths = dict.fromkeys(path for name in modules for path in (*needs[by_name[name]], by_name[name]))
    return [folder / path for path in paths]


def _install_module(path: Path, root: Path) -> str:
    """Copy a module into the tree, unpacked; its path in the guest."""
    inside = f"/lib/{path.name.split('.')[0]}.ko"
    data = path.read_bytes()
    (root / inside[1:]).write_bytes(lzma.decompress(data) if path.suffix == ".xz" else data)
    return inside


@contextmanager
def guest(
    script: str, folder: Path, *, modules: tuple[str, ...], devices: list[str], append: str = ""
) -> Iterator[Process]:
    """QEMU (machine q35) with a guest that runs `script`; `devices` are further options of QEMU.

    The output of the process is the guest's serial console, and what QEMU itself has to say.
    """
    initramfs = build_initramfs(script, ("virtio_pci", *modules), folder)
    command = [
        program("qemu-system-x86_64", "qemu-system-x86"),
        *("-accel", "tcg", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"),
        *("-machine", "q35,memory-backend=ram", "-m", f"{MEMORY}M"),
        # The back-end maps the guest's memory, so it must be a file that can be handed over.
        *("-object", f"memory-backend-memfd,id=ram,size={MEMORY}M,share=on"),
        *("-kernel", os.fspath(kernel()), "-initrd", os.fspath(initramfs)),
        *("-append", f"console=ttyS0 quiet panic=-1 {append}"),
        *devices,
    ]
    with running("guest", command, folder) as process:
        yield process


def results(process: Process) -> dict[str, str]:
    """Wait until the guest has powered off; what it found out."""
    process.finish(_PATIENCE)
    console = process.output()
    found = dict(re.findall(r"^RESULT (\w+)=(.*?)\r?$", console, re.MULTILINE))
    if found.pop("finished", None) != "yes":
        raise PeerError(f"the guest's script failed; the console:\n{console}")
    return found
