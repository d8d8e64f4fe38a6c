"""DPDK's testpmd with one virtual port: net_vhost as a back-end, virtio_user as a front-end.

Ports are forwarded on one polling core each; a back-end and a front-end get different ones.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.processes import PeerError, Process, running, wait_for_listener
from tests.peers.releases import Release

MEMORY = 256  # MiB that a testpmd takes, all of it shared with the other side by virtio_user
_PROMPT = "testpmd> "


class Testpmd:
    """A testpmd that reads commands."""

    __test__ = False  # its name makes pytest think that it holds tests

    def __init__(self, process: Process) -> None:
        self._process = process

    def command(self, line: str, answer: str) -> re.Match[str]:
        """Give a command and wait for its answer, a regular expression."""
        said = len(self._process.output())
        self._process.say(line)
        return self._process.expect(answer, start=said)

    def ready(self) -> None:
        """Wait until it takes commands: the other side must be there if the port needs it."""
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

    def wait_received(self, least: int, patience: float = 20.0) -> int:
        """Wait until `least` packets have been received; how many they are then."""
        deadline = time.monotonic() + patience
        while (count := self.received()) < least:
            if time.monotonic() > deadline:
                raise PeerError(f"only {count} of {least} packets arrived within {patience:.0f} s")
            time.sleep(0.05)
        return count

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def quit(self) -> None:
        """Close the port and end. The back-end must still be there when a front-end does."""
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
    """A back-end that counts what it receives; it listens at `socket`, or dials until somebody answers.

    `name` tells two of them in one folder apart.
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
    """A front-end that sends as fast as it can; it dials `socket`, or listens there."""
    vdev = f"net_virtio_user0,path={socket},queues={queues},server={int(listen)},packed_vq={int(packed)}"
    with _testpmd("virtio-user", vdev, "txonly", queues, 0, folder, release) as process:
        if listen:
            wait_for_listener(socket, process)
        yield Testpmd(process)


@contextmanager
def _testpmd(
    name: str, vdev: str, mode: str, queues: int, core: int, folder: Path, release: Release
) -> Iterator[Process]:
    """testpmd whose main thread floats and whose forwarding thread has the `core`th processor."""
    processors = sorted(os.sched_getaffinity(0))
    main = ",".join(map(str, processors))
    # Of all that it keeps in the file system only this prefix tells two of them apart.
    prefix = f"vudissect-{os.getpid()}-{name}"
    command = [
        *(release.program("stdbuf", "coreutils"), "-oL"),
        *(release.program("dpdk-testpmd", "dpdk-dev"), "--lcores", f"0@({main}),1@{processors[core]}"),
        *("--no-huge", "-m", str(MEMORY), "--no-pci", "--no-telemetry", "--file-prefix", prefix, "--vdev", vdev),
        *("--", "--interactive", f"--forward-mode={mode}", "--total-num-mbufs=2048"),
        # Memory that is locked cannot be fetched when it is needed, which postcopy does.
        *(f"--rxq={queues}", f"--txq={queues}", "--no-mlockall"),
    ]
    with running(name, command, folder, within=release.within) as process:
        yield process
