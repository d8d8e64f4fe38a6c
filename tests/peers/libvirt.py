"""A libvirt of its own: libvirtd and virtlogd as root, without systemd, with their files in the folder of the test."""

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.processes import PeerError, program, running, wait_for_listener

_SOCKET = "/run/libvirt/libvirt-sock"
_TIMEOUT = 60
# Where libvirt keeps its files, and which folder is there for it.
_FOLDERS = {
    "/etc/libvirt": "etc",
    "/var/lib/libvirt": "lib",
    "/run/libvirt": "run",
    "/var/log/libvirt": "log",
    "/var/cache/libvirt": "cache",
}
# Parts of a domain; the back-end of the disk listens at `disk.sock` in a folder.
SHARED_MEMORY = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
DISK = """
<disk type='vhostuser' device='disk'>
  <driver name='qemu' type='raw'/>
  <source type='unix' path='{folder}/disk.sock'/>
  <target dev='vda' bus='virtio'/>
</disk>
"""
_SETTINGS = """user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = [ ]
"""
_DOMAIN = """<domain type='qemu'>
  <name>vm</name>
  <memory unit='MiB'>128</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  {memory}
  <devices>
    <emulator>{emulator}</emulator>
    {devices}
  </devices>
</domain>
"""


class Libvirt:
    """Creates domains."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def domain(self, memory: str, devices: str, emulator: str = "") -> Iterator[None]:
        """A domain that runs for the length of the block; `PeerError` if it does not start.

        `memory` and `devices` are parts of its XML; `emulator` is the path of another one than QEMU.
        """
        emulator = emulator or program("qemu-system-x86_64", "qemu-system-x86")
        (self._folder / "domain.xml").write_text(_DOMAIN.format(emulator=emulator, memory=memory, devices=devices))
        self._virsh("create", "domain.xml")
        try:
            yield
        finally:
            self._virsh("destroy", "vm")

    def _virsh(self, *words: str) -> None:
        # Its socket is where the folder is mounted only for libvirtd.
        address = f"qemu+unix:///system?socket={self._folder}/run/libvirt-sock"
        command = [program("virsh", "libvirt-clients"), "-c", address, *words]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, timeout=_TIMEOUT)
        if done.returncode:
            log = self._folder / "log/qemu/vm.log"
            raise PeerError(f"virsh {words[0]}: {done.stderr}\n{log.read_text() if log.exists() else ''}")


@contextmanager
def libvirt(folder: Path) -> Iterator[Libvirt]:
    """libvirt for the length of the block."""
    for name in _FOLDERS.values():
        (folder / name).mkdir()
    (folder / "etc/qemu.conf").write_text(_SETTINGS)
    mounts = " && ".join(
        f"mkdir -p {path} && mount --bind {shlex.quote(os.fspath(folder / name))} {path}"
        for path, name in _FOLDERS.items()
    )
    log_daemon = program("virtlogd", "libvirt-daemon")
    daemon = program("libvirtd", "libvirt-daemon")
    script = f"{mounts} && {{ {log_daemon} & exec {daemon}; }}"
    with running("libvirtd", ["unshare", "--mount", "sh", "-c", script], folder) as process:
        wait_for_listener(_SOCKET, process)
        yield Libvirt(folder)
