"""`vuproxy wrap` with a real libvirt: domains start with the script as their emulator, and are recorded if possible."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.peers.daemons import storage_daemon, virtiofsd
from tests.peers.libvirt import DISK, SHARED_MEMORY, Libvirt, libvirt
from tests.peers.processes import program
from tests.peers.testpmd import net_vhost
from tests.proxy.harness import eventually
from vudissect.analysis import read
from vudissect.capture.record import RecordKind

pytestmark = pytest.mark.peers_slow

OTHERS = """
<filesystem type='mount'>
  <driver type='virtiofs' queue='1024'/>
  <source socket='{folder}/fs.sock'/>
  <target dir='shared'/>
</filesystem>
<interface type='vhostuser'>
  <mac address='52:54:00:3b:83:1a'/>
  <source type='unix' path='{folder}/client.sock' mode='client'/>
  <model type='virtio'/>
</interface>
<interface type='vhostuser'>
  <mac address='52:54:00:3b:83:1b'/>
  <source type='unix' path='{folder}/server.sock' mode='server'/>
  <model type='virtio'/>
</interface>
"""


@contextmanager
def wrapped(folder: Path, captures: Path) -> Iterator[Libvirt]:
    """libvirt, and in the folder a wrapper `qemu` that records to `captures`."""
    vuproxy = Path(sys.executable).with_name("vuproxy")
    (folder / "wrap.conf").write_text(f"# A test\nFOLDER={captures}\nOPTIONS=-b filesize:8M -b files:8\n")
    emulator = program("qemu-system-x86_64", "qemu-system-x86")
    words = [str(vuproxy), "wrap", emulator, "--config", str(folder / "wrap.conf")]
    script = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    (folder / "qemu").write_text(script)
    (folder / "qemu").chmod(0o755)
    with libvirt(folder) as manager:
        yield manager


def sessions(captures: Path) -> dict[str, int]:
    """How many messages each device has in the only capture of the VM."""
    records = [record for path in captures.glob("vm_00001_*.pcapng") for record in read(path)]
    names = {each.connection: each.device_id for each in records if each.kind is RecordKind.CONNECTION_OPENED}
    return {
        name: sum(each.kind is RecordKind.MESSAGE and each.connection == number for each in records)
        for number, name in names.items()
    }


def log_of(folder: Path) -> list[str]:
    """What the wrapper and its recorder have written to the log of the domain."""
    return [line for line in (folder / "log/qemu/vm.log").read_text().splitlines() if line.startswith("vuproxy:")]


def test_all_devices_of_a_domain_are_recorded_under_their_aliases(tmp_path: Path) -> None:
    (tmp_path / "disk.img").write_bytes(bytes(1 << 20))
    (tmp_path / "shared").mkdir()
    with ExitStack() as running:
        running.enter_context(storage_daemon(tmp_path / "disk.img", "disk.sock", tmp_path))
        running.enter_context(virtiofsd(tmp_path / "shared", "fs.sock", tmp_path))
        running.enter_context(net_vhost("client.sock", tmp_path))
        running.enter_context(net_vhost("server.sock", tmp_path, listen=False, name="net-client"))
        manager = running.enter_context(wrapped(tmp_path, tmp_path))
        devices = (DISK + OTHERS).format(folder=tmp_path)
        with manager.domain(SHARED_MEMORY, devices, emulator=str(tmp_path / "qemu")):
            eventually(lambda: len(sessions(tmp_path)) == 4 and min(sessions(tmp_path).values()) > 5)
        eventually(lambda: any("4 connections" in line for line in log_of(tmp_path)))

    assert sessions(tmp_path).keys() == {"virtio-disk0", "fs0", "net0", "net1"}


@contextmanager
def full(folder: Path) -> Iterator[Path]:
    """A file system without room."""
    place = folder / "full"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", str(place)], check=True)
    try:
        (place / "file").write_bytes(bytes(4096))
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_domain_starts_without_room_for_captures(tmp_path: Path) -> None:
    (tmp_path / "disk.img").write_bytes(bytes(1 << 20))
    with (
        full(tmp_path) as captures,
        storage_daemon(tmp_path / "disk.img", "disk.sock", tmp_path) as daemon,
        wrapped(tmp_path, captures) as manager,
        manager.domain(SHARED_MEMORY, DISK.format(folder=tmp_path), emulator=str(tmp_path / "qemu")),
    ):
        assert daemon.alive()
        *_, reason = log_of(tmp_path)

    assert "cannot be written: No space left on device" in reason
    assert os.listdir(captures) == []
