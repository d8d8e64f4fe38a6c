"""The units, domains and pods of the pages about services are what systemd, libvirt and Kubernetes read."""

import re
import socket
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.test_help import parse
from tests.peers.processes import program, running
from tests.proxy.harness import Listener, call, eventually, message
from vudissect.cli.vuproxy import main as vuproxy

pytestmark = pytest.mark.peers

DOCS = Path(__file__).parents[2] / "docs"
VUPROXY = Path(sys.executable).with_name("vuproxy")
TIMEOUT = 30


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    service, activation = blocks("systemd.md", "ini")
    assert "/usr/local/bin/vuproxy" in service
    (tmp_path / "relay.service").write_text(service.replace("/usr/local/bin/vuproxy", str(VUPROXY)))
    (tmp_path / "relay.socket").write_text(activation)
    (tmp_path / "my-backend.service").write_text("[Service]\nExecStart=/bin/true\n")
    analyze = program("systemd-analyze", "systemd")

    done = subprocess.run(
        [analyze, "verify", "--man=no", tmp_path / "relay.service", tmp_path / "relay.socket"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )

    about_ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line or line.startswith("relay.")]
    assert (done.returncode, about_ours) == (0, [])


def test_the_command_of_the_service_is_one() -> None:
    (command,) = re.findall(r"^ExecStart=((?:.*\\\n)*.*)$", blocks("systemd.md", "ini")[0], re.MULTILINE)
    words = command.replace("\\\n", " ").split()

    parse(vuproxy, "vuproxy", words[1:])


def test_a_socket_that_systemd_has_created_is_served(tmp_path: Path) -> None:
    back = Listener(tmp_path / "back.sock")
    activate = program("systemd-socket-activate", "systemd")
    command = [activate, "-l", str(tmp_path / "front.sock"), str(VUPROXY)]
    command += ["-q", "--listen", "fd:3", "--connect", "back.sock", "-w", "vm.pcapng"]

    with running("activated", command, tmp_path) as relay:
        eventually((tmp_path / "front.sock").exists)
        relay.expect("Listening on")
        front = call(tmp_path / "front.sock")
        request = message("GET_FEATURES")
        front.send(request)
        assert back.accept().receive() == (request, [])


@pytest.mark.parametrize("block", blocks("libvirt.md", "xml"), ids=lambda block: block.split()[0].strip("<>"))
def test_the_parts_of_a_domain_are_xml_with_a_socket_of_the_relay(block: str) -> None:
    part = ElementTree.fromstring(block)
    if part.tag == "emulator":
        assert part.text == "/usr/local/bin/qemu-recorded"
        return
    sockets = [each.get("path") or each.get("socket") for each in part.iter("source") if each.get("type") != "memfd"]

    assert part.tag == "memoryBacking" or sockets in (["/run/vudissect/front.sock"], ["/run/vudissect/qemu.sock"])


def test_the_command_of_the_container_is_one() -> None:
    (pod,) = blocks("containers.md", "yaml")
    words = re.search(r"args: \[(vuproxy, .*?)\]", pod)
    assert words is not None

    parse(vuproxy, "vuproxy", words[1].split(", ")[1:])


def test_a_path_has_as_many_bytes_as_the_page_says() -> None:
    (most,) = re.findall(r"A path has at most (\d+) bytes", (DOCS / "containers.md").read_text())

    with socket.socket(socket.AF_UNIX) as sock, pytest.raises(OSError, match="too long"):
        sock.connect("x" * (int(most) + 1))
