"""A small Linux guest: Debian's kernel, a busybox initramfs that is built on the fly, QEMU with TCG.

The guest runs one shell script and powers off. It prints its results as `RESULT name=value`.
"""

import lzma
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.peers.journal import note_script
from tests.peers.processes import PeerError, Process, program, running
from tests.peers.qmp import Monitor, monitor
from tests.peers.releases import Release

MEMORY = 256  # MiB

_TIMEOUT = 60.0

_INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
while read module; do insmod $module; done < /modules
sh -e /script && echo RESULT finished=yes
poweroff -f
"""


def build_initramfs(script: str, modules: tuple[str, ...], root: Path, kernel_modules: Path) -> Path:
    """An initramfs whose init loads `modules` with their dependencies and runs `script`; built in the folder `root`.

    `kernel_modules` is the folder with the modules of the kernel that is going to run it.
    """
    for name in ("bin", "dev", "proc", "sys", "mnt", "lib"):
        (root / name).mkdir(parents=True)
    shutil.copy(program("busybox", "busybox-static"), root / "bin/busybox")
    (root / "init").write_text(_INIT)
    (root / "init").chmod(0o755)
    (root / "script").write_text(script)
    in_order = [_install_module(path, root) for path in _with_dependencies(modules, kernel_modules)]
    (root / "modules").write_text("".join(f"{path}\n" for path in in_order))
    image = root.with_suffix(".cpio")
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
    """The files of the modules and their dependencies, in load order; modules that are built in have none."""
    needs: dict[str, list[str]] = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        path, _, needed = line.partition(":")
        # modules.dep lists last what must be loaded first.
        needs[path] = needed.split()[::-1]
    by_name = {Path(path).name.split(".")[0]: path for path in needs}
    within = {Path(path).stem for path in (folder / "modules.builtin").read_text().split()}
    wanted = [by_name[name] for name in modules if name not in within]
    return [folder / path for path in dict.fromkeys(path for wanted in wanted for path in (*needs[wanted], wanted))]


def _install_module(path: Path, root: Path) -> str:
    """Copy a module into the tree, decompressed; returns its path in the guest."""
    inside = f"/lib/{path.name.split('.')[0]}.ko"
    data = path.read_bytes()
    (root / inside[1:]).write_bytes(lzma.decompress(data) if path.suffix == ".xz" else data)
    return inside


class Guest:
    """A running guest and the QEMU that it runs in."""

    def __init__(self, process: Process, monitor_socket: str, folder: Path) -> None:
        self.process = process
        self._monitor_socket = monitor_socket
        self._folder = folder

    def monitor(self) -> AbstractContextManager[Monitor]:
        """QEMU's monitor for the length of a block."""
        return monitor(self._monitor_socket, self.process.name, self._folder)

    def wait_for(self, name: str, value: str = "") -> None:
        """Wait until the guest's script has printed `RESULT name=value`; any value if none is given."""
        self.process.expect(rf"RESULT {name}={value}", _TIMEOUT)

    def results(self) -> dict[str, str]:
        """Wait until the guest has powered off, and return its results."""
        self.process.finish(_TIMEOUT)
        return results_in(self.process)

    def found(self) -> dict[str, str]:
        """Its results so far."""
        return _found(self.process)


def results_in(console: Process) -> dict[str, str]:
    """The results of a guest, from its output on the console; `PeerError` unless its script ended well."""
    found = _found(console)
    if found.pop("finished", None) != "yes":
        raise PeerError(f"the guest's script failed; its console:\n{console.output()}")
    return found


def _found(console: Process) -> dict[str, str]:
    return dict(re.findall(r"^RESULT (\w+)=(.*?)\r?$", console.output(), re.MULTILINE))


def memory(regions: int = 1) -> tuple[str, ...]:
    """QEMU's options for a guest with `MEMORY` in this many files, one for each NUMA node."""
    size = MEMORY // regions
    # The back-end maps the guest's memory, so it must be a file that can be passed.
    if regions == 1:
        one = ("-machine", "memory-backend=ram", "-object", f"memory-backend-memfd,id=ram,size={size}M,share=on")
        return ("-m", f"{MEMORY}M", *one)
    nodes = [
        option
        for node in range(regions)
        for option in (
            *("-object", f"memory-backend-memfd,id=ram{node},size={size}M,share=on"),
            *("-numa", f"node,nodeid={node},memdev=ram{node}"),
        )
    ]
    return ("-m", f"{MEMORY}M", *nodes)


@contextmanager
def guest(
    script: str,
    folder: Path,
    *,
    modules: tuple[str, ...],
    devices: Sequence[str],
    append: str = "",
    memory: Sequence[str] = memory(),
    processors: int = 1,
    name: str = "guest",
    release: Release = Release.BOOKWORM,
    wrapper: Sequence[str] = (),
) -> Iterator[Guest]:
    """QEMU (machine q35) with a guest that runs `script`; `devices` are further options of QEMU.

    The output of the process is the guest's serial console and QEMU's own messages. `name` distinguishes guests in the
    same folder. `wrapper` is a command that starts QEMU.
    """
    note_script(folder, name, script)
    kernel_modules = release.root / "lib/modules" / release.kernel().name.removeprefix("vmlinuz-")
    initramfs = build_initramfs(script, ("virtio_pci", *modules), folder / f"{name}-initramfs", kernel_modules)
    monitor_socket = f"{name}.qmp"
    command = [
        *wrapper,
        release.program("qemu-system-x86_64", "qemu-system-x86"),
        *("-accel", "tcg", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"),
        *("-machine", "q35", "-smp", str(processors), *memory),
        *("-qmp", f"unix:{monitor_socket},server=on,wait=off"),
        *("-kernel", f"/{release.kernel()}", "-initrd", os.fspath(initramfs)),
        *("-append", f"console=ttyS0 quiet panic=-1 {append}".strip()),
        *devices,
    ]
    with running(name, command, folder, within=release.within) as process:
        yield Guest(process, monitor_socket, folder)
