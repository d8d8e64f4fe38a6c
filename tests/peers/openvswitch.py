"""Open vSwitch with DPDK: a private switch in a folder, with one port for a guest."""

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
# Without --legacy-mem, Open vSwitch adds an option that needs huge pages. The prefix keeps the files that DPDK creates
# apart from those of other DPDK programs.
_DPDK = f"--legacy-mem --no-huge -m 512 --no-pci --no-telemetry --file-prefix vudissect-ovs-{os.getpid()}"


class Switch:
    """A running switch."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def tool(self, name: str, *arguments: str) -> str:
        """Run one of Open vSwitch's tools and return its output."""
        command = [*_environment(self._folder), program(name, _PACKAGE), *arguments]
        note_command(self._folder, name, command)
        done = subprocess.run(
            command, cwd=self._folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
        )
        if done.returncode:
            raise PeerError(f"{name} exited with status {done.returncode}: {done.stdout}")
        return done.stdout

    def wait_received(self, least: int, timeout: float = 20.0) -> int:
        """Wait until `least` packets have come from the guest, and return their number."""
        deadline = time.monotonic() + timeout
        while (count := self._received()) < least:
            if time.monotonic() > deadline:
                raise PeerError(f"only {count} of {least} packets arrived within {timeout:.0f} s")
            time.sleep(0.05)
        return count

    def _received(self) -> int:
        # From the flows: the port's counters are lost when the guest disconnects.
        found = re.search(r"packet_count=(\d+)", self.tool("ovs-ofctl", "dump-aggregate", "br0"))
        return int(found[1]) if found else 0


@contextmanager
def switch(socket: str, folder: Path, *, listen: bool) -> Iterator[Switch]:
    """A switch whose port listens at `socket`, or connects there as soon as it can."""
    if not _SWITCH.exists():
        raise PeerError(f"{_SWITCH} is not installed; on Debian: apt install {_PACKAGE}")
    tools = Switch(folder)
    tools.tool("ovsdb-tool", "create", "ovs.db", f"{_SCHEMA}")
    database = ["ovsdb-server", f"{folder}/./ovs.db", "--remote=punix:db.sock", "--no-chdir"]
    with running("database", [*_environment(folder), *database], folder) as server:
        wait_for_listener(f"{folder}/./db.sock", server)
        settings = ("other_config:dpdk-init=true", f'other_config:dpdk-extra="{_DPDK}"', "other_config:pmd-cpu-mask=2")
        tools.tool("ovs-vsctl", "--no-wait", "--", "init", "--", "set", "Open_vSwitch", ".", *settings)
        # It creates network interfaces with fixed names, so it needs a network namespace.
        alone = [program("unshare", "util-linux"), "--net", *_environment(folder)]
        with running("switch", [*alone, f"{_SWITCH}", "unix:db.sock"], folder) as process:
            if listen:
                # The switch creates the socket in its own folder, with the name of the port.
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
    """A command prefix that keeps all files of a switch, including its database, in the folder."""
    variables = [f"OVS_{name}={folder}/." for name in ("RUNDIR", "DBDIR", "LOGDIR", "SYSCONFDIR")]
    return [program("env", "coreutils"), *variables]
