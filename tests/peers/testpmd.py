"""DPDK's testpmd with one virtual port: net_vhost as a back-end, virtio_user as a front-end.

Each port has one polling core; back-end and front-end get different ones.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.processes import PeerError, Process, running, wait_for_listener
from tests.peers.releases import Release

MEMORY = 256  # MiB for each testpmd; virtio_user shares all of it with the other side
_PROMPT = "testpmd> "


class Testpmd:
    """A testpmd that reads commands."""

    __test__ = False  # pytest would collect it because of its name

    def __init__(self, process: Process) -> None:
        self._process = process

    def command(self, line: str, answer: str) -> re.Match[str]:
        """Send a command and wait for its answer, a regular expression."""
        start = len(self._process.output())
        self._process.say(line)
        return self._process.expect(answer, start=start)

    def ready(self) -> None:
        """Wait for its prompt; if the port needs the other side, that must be running."""
        self._process.expect(_PROMPT)

    def start(self) -> None:
        """Start to receive or to send on all queues."""
        self.command("start", r"packet forwarding - ports=1")

    def stop(self) -> None:
        """Stop; the port stays up."""
        self.command("stop", r"Done\.")

    def received(self) -> int:
        """Packets received so far."""
        return int(self.command("show port stats 0", r"RX-packets: (\d+)[^#]*TX-bytes")[1])

    def sent(self) -> int:
        """Packets sent so far."""
        return int(self.command("show port stats 0", r"TX-packets: (\d+)[^#]*TX-bytes")[1])

    def wait_received(self, least: int, timeout: float = 20.0) -> int:
        """Wait until `least` packets have been received, and return their number."""
        deadline = time.monotonic() + timeout
        while (count := self.received()) < least:
            if time.monotonic() > deadline:
                raise PeerError(f"only {count} of {least} packets arrived within {timeout:.0f} s")
            time.sleep(0.05)
        return count

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def quit(self) -> None:
        """Close the port and exit. A front-end must do this while its back-end is still running."""
        self._process.say("quit")
        self._process.finish()


@contextmanager
def net_vhost(
    socket: str,
    folder: Path,
    *,
    listen: bool = True,
    iommu: bool = False,
    postcopy: bool = False,
    queues: int = 1,
    name: str = "net-vhost",
    release: Release = Release.BOOKWORM,
) -> Iterator[Testpmd]:
    """A back-end that counts the packets it receives; it listens at `socket`, or connects there as soon as it can.

    `name` distinguishes back-ends in the same folder.
    """
    vdev = f"net_vhost0,iface={socket},queues={queues},client={int(not listen)},iommu-support={int(iommu)}"
    if postcopy:
        vdev += ",postcopy-support=1"
    with _testpmd(name, vdev, "rxonly", queues, -1, folder, release) as process:
        if listen:
            wait_for_listener(socket, process)
        yield Testpmd(process)


@contextmanager
def virtio_user(
    socket: str,
    folder: Path,
    *,
    listen: bool = False,
    queues: int = 1,
    packed: bool = False,
    release: Release = Release.BOOKWORM,
) -> Iterator[Testpmd]:
    """A front-end that sends as fast as it can; it connects to `socket`, or listens there."""
    vdev = f"net_virtio_user0,path={socket},queues={queues},server={int(listen)},packed_vq={int(packed)}"
    with _testpmd("virtio-user", vdev, "txonly", queues, 0, folder, release) as process:
        if listen:
            wait_for_listener(socket, process)
        yield Testpmd(process)


@contextmanager
def _testpmd(
    name: str, vdev: str, mode: str, queues: int, core: int, folder: Path, release: Release
) -> Iterator[Process]:
    """testpmd with its main thread on any processor and its forwarding thread on the `core`th."""
    processors = sorted(os.sched_getaffinity(0))
    main = ",".join(map(str, processors))
    # Without a prefix of its own, it would share files with other DPDK programs.
    prefix = f"vudissect-{os.getpid()}-{name}"
    command = [
        *(release.program("stdbuf", "coreutils"), "-oL"),
        *(release.program("dpdk-testpmd", "dpdk-dev"), "--lcores", f"0@({main}),1@{processors[core]}"),
        *("--no-huge", "-m", str(MEMORY), "--no-pci", "--no-telemetry", "--file-prefix", prefix, "--vdev", vdev),
        *("--", "--interactive", f"--forward-mode={mode}", "--total-num-mbufs=2048"),
        # Postcopy fetches memory on demand, which locked memory does not permit.
        *(f"--rxq={queues}", f"--txq={queues}", "--no-mlockall"),
    ]
    with running(name, command, folder, within=release.within) as process:
        yield process
