"""docs/libvirt.md with a real libvirt: its XML, and its commands of vuproxy."""

import os
import re
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import vudissect
from tests.peers.daemons import storage_daemon, virtiofsd
from tests.peers.libvirt import libvirt
from tests.peers.processes import Process, running, wait_for_listener
from tests.peers.testpmd import net_vhost

pytestmark = pytest.mark.peers_slow

_PAGE = (Path(__file__).parents[2] / "docs" / "libvirt.md").read_text()
_FOLDER = "/run/vudissect"
_TIMEOUT = 60


def xml(heading: str, number: int = 0) -> str:
    """A block of XML in the section with this heading, or before the first one."""
    section = re.split(r"^##? ", _PAGE, flags=re.MULTILINE)
    (text,) = (each for each in section if each.startswith(f"{heading}\n"))
    blocks: list[str] = re.findall(r"^```xml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return blocks[number]


def command(capture: str) -> list[str]:
    """The command of vuproxy that writes this capture."""
    (line,) = re.findall(rf"^    (vuproxy .* -w {re.escape(capture)})$", _PAGE, re.MULTILINE)[:1]
    return shlex.split(line)


@contextmanager
def recorded(capture: str, folder: Path, listening: str) -> Iterator[Process]:
    """vuproxy as on the page, but with sockets in this folder."""
    program, *words = (word.replace(_FOLDER, os.fspath(folder)) for word in command(capture))
    with running("vuproxy", [os.fspath(Path(sys.executable).with_name(program)), "-q", *words], folder) as proxy:
        wait_for_listener(os.fspath(folder / listening), proxy)
        yield proxy
        proxy.terminate()
        proxy.finish()


def wait_for(message: str, capture: Path) -> None:
    """Wait until this message is in the capture, which is still being written."""
    deadline = time.monotonic() + _TIMEOUT
    while message not in {getattr(event, "name", "") for event, _ in vudissect.analyse(os.fspath(capture))}:
        assert time.monotonic() < deadline, f"{message} is not in the capture"
        time.sleep(0.2)


def devices(heading: str, number: int, folder: Path) -> str:
    return xml(heading, number).replace(_FOLDER, os.fspath(folder))


def test_the_firmware_reads_a_disk(tmp_path: Path) -> None:
    (tmp_path / "disk.img").write_bytes(bytes(1 << 20))

    with (
        storage_daemon(tmp_path / "disk.img", "back.sock", tmp_path),
        recorded("boot.pcapng", tmp_path, "front.sock"),
        libvirt(tmp_path) as manager,
        manager.domain(xml("With libvirt"), devices("A disk", 0, tmp_path)),
    ):
        wait_for("SET_VRING_KICK", tmp_path / "boot.pcapng")


def test_a_network_interface_connects(tmp_path: Path) -> None:
    with (
        net_vhost("back.sock", tmp_path),
        recorded("boot.pcapng", tmp_path, "front.sock"),
        libvirt(tmp_path) as manager,
        manager.domain(xml("With libvirt"), devices("A network interface", 0, tmp_path)),
    ):
        wait_for("SET_OWNER", tmp_path / "boot.pcapng")


def test_a_network_interface_listens(tmp_path: Path) -> None:
    with (
        recorded("net.pcapng", tmp_path, "ovs.sock"),
        net_vhost("ovs.sock", tmp_path, listen=False),
        libvirt(tmp_path) as manager,
        manager.domain(xml("With libvirt"), devices("A network interface", 1, tmp_path)),
    ):
        wait_for("SET_OWNER", tmp_path / "net.pcapng")


def test_a_directory_is_shared(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()

    with (
        virtiofsd(shared, "back.sock", tmp_path),
        recorded("fs.pcapng", tmp_path, "front.sock"),
        libvirt(tmp_path) as manager,
        manager.domain(xml("With libvirt"), devices("A shared directory", 0, tmp_path)),
    ):
        wait_for("SET_OWNER", tmp_path / "fs.pcapng")
