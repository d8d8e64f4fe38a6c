"""Open vSwitch with DPDK: a switch of its own, in a folder, with one port for a guest."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.journal import note_command
from tests.peers.processes import PeerError, program, running, wait_for_listener

_SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
_SWITCH = Path("/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk")  # the one on the PATH has no DPDK
_PACKAGE = "openvswitch-switch-dpdk"
_PORT = "vhost0"
# Without the first of these, Open vSwitch adds an option that goes with huge pages only. Of all that DPDK keeps in the
# file system only the prefix tells two switches apart.
_DPDK = f"--legacy-mem --no-huge -m 512 --no-pci --no-telemetry --file-prefix vudissect-ovs-{os.getpid()}"


class Switch:
    """A running switch."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def tool(self, name: str, *arguments: str) -> str:
        """Run one of Open vSwitch's tools; what it says."""
        command = [*_environment(self._folder), program(name, _PACKAGE), *arguments]
        note_command(self._folder, name, command)
        done = subprocess.run(
            command, cwd=self._folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
        )
        if done.returncode:
            raise PeerError(f"{name} ended with status {done.returncode}: {done.stdout}")
        return done.stdout

    def wait_received(self, least: int, patience: float = 20.0) -> int:
        """Wait until `least` packets have come from the guest; how many they are then."""
        deadline = time.monotonic() + patience
        while (count := self._received()) < least:
            if time.monotonic() > deadline:
                raise PeerError(f"only {count} of {least} packets arrived within {patience:.0f} s")
            time.sleep(0.05)
        return count

    def _received(self) -> int:
        # By the flows: the port forgets what it has counted when the guest goes.
        found = re.search(r"packet_count=(\d+)", self.tool("ovs-ofctl", "dump-aggregate", "br0"))
        return int(found[1]) if found else 0


@contextmanager
def switch(socket: str, folder: Path, *, listen: bool) -> Iterator[Switch]:
    """A switch whose port listens at `socket`, or calls there until somebody answers."""
    if not _SWITCH.exists():
        raise PeerError(f"{_SWITCH} is not installed; on Debian: apt install {_PACKAGE}")
    tools = Switch(folder)
    tools.tool("ovsdb-tool", "create", "ovs.db", f"{_SCHEMA}")
    database = ["ovsdb-server", f"{folder}/./ovs.db", "--remote=punix:db.sock", "--no-chdir"]
    with running("database", [*_environment(folder), *database], folder) as server:
        wait_for_listener(f"{folder}/./db.sock", server)
        settings = ("other_config:dpdk-init=true", f'other_config:dpdk-extra="{_DPDK}"', "other_config:pmd-cpu-mask=2")
        tools.tool("ovs-vsctl", "--no-wait", "--", "init", "--", "set", "Open_vSwitch", ".", *settings)
        # It makes network interfaces, whose names are the same for every switch.
        alone = [program("unshare", "util-linux"), "--net", *_environment(folder)]
        with running("switch", [*alone, f"{_SWITCH}", "unix:db.sock"], folder) as process:
            if listen:
                # The socket is where all of the switch's are, under the name of the port.
                (folder / socket).symlink_to(_PORT)
                port = ["type=dpdkvhostuser"]
            else:
                port = ["type=dpdkvhostuserclient", f"options:vhost-server-path={folder}/./{socket}"]
            bridge = ("--", "set", "bridge", "br0", "datapath_type=netdev", "--", "add-port", "br0", _PORT)
            tools.tool("ovs-vsctl", "add-br", "br0", *bridge, "--", "set", "Interface", _PORT, *port)
            if listen:
                wait_for_listener(f"{folder}/./{_PORT}", process)
            yield tools


def _environment(folder: Path) -> list[str]:
    """What keeps all files of a switch in the folder, and names its database."""
    places = [f"OVS_{place}={folder}/." for place in ("RUNDIR", "DBDIR", "LOGDIR", "SYSCONFDIR")]
    return [program("env", "coreutils"), *places]
