"""Rings of real programs, seen while they run: who is stuck is named, and nobody who works is accused."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from hashlib import sha256
from pathlib import Path
from time import monotonic

import pytest

from tests.cli.program import run_apart as run
from tests.huge_pages import huge_pages, hugetlbfs
from tests.peers.captures import CAPTURES
from tests.peers.guest import MEMORY
from tests.peers.processes import Process, running, wait_for_listener
from tests.peers.proxy import recorded
from tests.peers.releases import Release
from tests.peers.rings_seen import IN_SIGHT, rings_seen
from tests.peers.situations.disk import Disk
from tests.peers.situations.file_system import FileSystem
from tests.peers.situations.situation import BACK, FRONT, MIB
from tests.peers.uml import DISK, uml

_READ_FOR_EVER = "while true; do dd if=/dev/vda of=/dev/null bs=4k count=8 iflag=direct 2> /dev/null; done\n"
_READ_FILE_FOR_EVER = """
mount -t virtiofs shared /mnt
while true; do
    echo 3 > /proc/sys/vm/drop_caches
    cat /mnt/from-host > /dev/null
done
"""
RECORDED = "recorded.pcapng"
OFTEN = "--rings-interval=0.1"
_SOME = 100
_PATIENCE_SECONDS = 30.0
_READ_SOME = f"dd if=/dev/vda of=/dev/null bs=4k count={_SOME} iflag=direct 2> /dev/null\n"
# All others are recorded with rings in sight by the tests of their own, those that take long.
_QUICK = (
    "uml-6.1-blk-qsd-7.2",
    "dpdk-22.11-virtio-user-vhost",
    "dpdk-22.11-virtio-user-2-queues-packed",
    "qemu-7.2-net-dpdk-22.11",
)


@contextmanager
def watched(folder: Path, *options: str) -> Iterator[Process]:
    """A `vuproxy` that looks into the rings and prints what it sees."""
    command = [os.fspath(Path(sys.executable).with_name("vuproxy")), "--rings=requests", *options]
    command += ["--listen", FRONT, "--connect", BACK, "-w", RECORDED]
    with running("vuproxy", command, folder) as proxy:
        wait_for_listener(FRONT, proxy)
        yield proxy
        proxy.terminate()
        proxy.finish()


@contextmanager
def reference(folder: Path, *, fault: str) -> Iterator[None]:
    """The reference back-end with a fault, once it listens."""
    (folder / "fault").write_text(fault)
    command = [sys.executable, "-m", "vudissect.check.reference", BACK, "fault"]
    with running("reference", command, folder) as process:
        wait_for_listener(BACK, process)
        yield


def reading(folder: Path, *, before: str = "") -> AbstractContextManager[Process]:
    """A guest that reads from its disk for ever, after other commands."""
    script = f"{before}echo RESULT begun=yes\n{_READ_FOR_EVER}"
    return uml(script, folder, modules=("virtio_blk",), device=DISK, socket=FRONT)


def finding(proxy: Process, rule: str) -> str:
    """The first finding of a rule in the live transcript, as one line, up to the frames that led to it."""
    return " ".join(proxy.expect(rf"{rule} (?:.|\n)*?(?=\d+\)\n|\n *\d|\n\Z)").group().split())


class _WithoutEventIndex(Disk):
    """A guest reads for ever from a disk whose ring has no event indices."""

    script = _READ_FOR_EVER
    options = ("-global", "vhost-user-blk-pci.event_idx=off")


class _ThenIdle(Disk):
    """A guest reads from its disk, and then does nothing for a while."""

    script = f"{_READ_SOME}sleep 4\n"


class _Reading(FileSystem):
    """A guest reads a file from the host for ever."""

    script = _READ_FILE_FOR_EVER


@pytest.mark.peers
@pytest.mark.parametrize("name", _QUICK)
def test_a_healthy_session_is_seen_and_not_accused(name: str, tmp_path: Path) -> None:
    capture = tmp_path / RECORDED

    CAPTURES[name].situation.record(tmp_path, capture, IN_SIGHT)

    seen = rings_seen(capture)
    assert seen.any_was_read
    assert (seen.broken, seen.stalls) == (set(), [])


@pytest.mark.peers
def test_a_back_end_that_forgets_to_signal_is_named(tmp_path: Path) -> None:
    with (
        reference(tmp_path, fault="RNG-01"),
        watched(tmp_path, OFTEN) as proxy,
        Disk().front_end(tmp_path, FRONT) as front_end,
    ):
        line = finding(proxy, "VU-OBS-05")
        front_end.process.kill()

    assert re.search(r"back-end: ring 0: the device has completed requests up to \d+", line)


@pytest.mark.peers
def test_a_back_end_that_does_not_clear_what_was_in_flight_is_named(tmp_path: Path) -> None:
    with (
        reference(tmp_path, fault="INF-08"),
        watched(tmp_path, OFTEN) as proxy,
        _ThenIdle().front_end(tmp_path, FRONT) as front_end,
    ):
        line = finding(proxy, "VU-OBS-10")
        front_end.process.kill()

    assert re.search(r"back-end: ring 0: all requests are completed, but \d+ requests? (is|are) marked", line)


@pytest.mark.peers
def test_a_back_end_that_clears_what_was_in_flight_is_not_accused(tmp_path: Path) -> None:
    with (
        reference(tmp_path, fault=""),
        watched(tmp_path, OFTEN),
        _ThenIdle().front_end(tmp_path, FRONT) as front_end,
    ):
        front_end.results()

    seen = rings_seen(tmp_path / RECORDED)
    assert any(observation.in_flight == 0 and observation.used for observation in seen.observations)
    assert (seen.broken, seen.stalls) == (set(), [])


@pytest.mark.peers
def test_the_rings_of_a_guest_in_huge_pages(tmp_path: Path) -> None:
    disk, capture = Disk(), tmp_path / RECORDED
    size = MEMORY * MIB

    with (
        huge_pages(size),
        hugetlbfs(tmp_path / "huge") as folder,
        disk.back_end(tmp_path, BACK) as back_end,
        recorded(capture, front_end=f"listen:{FRONT}", back_end=f"connect:{BACK}", options=IN_SIGHT),
    ):
        backed = f"memory-backend-file,id=huge,size={size},mem-path={folder},share=on"
        options = ("-object", backed, "-machine", "memory-backend=huge")
        with disk.machine(tmp_path, FRONT, options=options) as front_end:
            used = disk.act(tmp_path, front_end, back_end)

    seen = rings_seen(capture)
    assert used.digest_of_first_mib == sha256(used.before[:MIB]).hexdigest()
    assert any(observation.used for observation in seen.observations)
    assert (seen.broken, seen.stalls) == (set(), [])


@pytest.mark.peers
def test_a_session_that_is_recorded_without_it_can_be_seen(tmp_path: Path) -> None:
    capture = tmp_path / RECORDED

    with (
        Disk().back_end(tmp_path, BACK) as back_end,
        recorded(capture, front_end=f"listen:{FRONT}", back_end=f"connect:{BACK}"),
        reading(tmp_path, before=_READ_SOME) as front_end,
    ):
        front_end.expect("RESULT begun=yes")
        pids = ("--pid", str(front_end.pid), "--pid", str(back_end.pid))
        seen = run("rings", *pids, str(capture))
        front_end.kill()

    assert (seen.returncode, seen.stderr) == (0, b"")
    lines = seen.stdout.decode().splitlines()
    assert lines[0] == "ring 0 of connection 1 (blk request), size 256"
    last = [line for line in lines if re.match(r" +\d+ +\d+\.\d+ ", line)][-1]
    assert int(last.split()[2]) >= _SOME


@pytest.mark.peers
def test_a_storage_daemon_that_is_stopped_is_named_while_it_is(tmp_path: Path) -> None:
    with (
        Disk().back_end(tmp_path, BACK) as back_end,
        watched(tmp_path) as proxy,
        reading(tmp_path) as front_end,
    ):
        proxy.expect(r"ring 0: avail \d{2,}")
        with back_end.stopped():
            # Whether or not it was polling at that moment.
            line = finding(proxy, "VU-OBS-01")
        front_end.kill()

    assert re.search(r"back-end: ring 0: request \d+: read sector \d+, 8 sectors, pending for", line)
    assert line.endswith("the process of the back-end is stopped, by a signal or a debugger (see #")


@pytest.mark.peers
def test_a_back_end_that_dies_is_found_to_have_a_request_pending(tmp_path: Path) -> None:
    with (
        Disk().back_end(tmp_path, BACK) as back_end,
        # Without a look between the start and the end.
        watched(tmp_path, "--rings-interval=3600") as proxy,
        reading(tmp_path) as front_end,
    ):
        front_end.expect("RESULT begun=yes")
        os.kill(back_end.pid, signal.SIGSTOP)
        _wait_until_pending(front_end, tmp_path / RECORDED)
        back_end.kill()
        line = finding(proxy, "VU-END-01")
        front_end.kill()

    assert re.search(
        r"1 request was pending in ring 0, .*, the oldest of them request \d+: read sector \d+, 8 sect", line
    )


def _wait_until_pending(front_end: Process, capture: Path) -> None:
    """Wait until the guest has made a request that is not completed."""
    deadline = monotonic() + _PATIENCE_SECONDS
    while b"1 #" not in run("rings", "--pid", str(front_end.pid), os.fspath(capture)).stdout:
        assert monotonic() < deadline, "the guest does not read"


@pytest.mark.peers
def test_a_driver_that_stops_is_named_while_it_does_not_notice_a_completion(tmp_path: Path) -> None:
    with (
        Disk().back_end(tmp_path, BACK) as back_end,
        watched(tmp_path, OFTEN) as proxy,
        reading(tmp_path) as front_end,
    ):
        proxy.expect(r"ring 0: avail \d{2,}")
        with back_end.stopped():
            finding(proxy, "VU-OBS-01")
            # Now a request is pending. It is completed while the driver is stopped.
            os.kill(front_end.pid, signal.SIGSTOP)
        line = finding(proxy, "VU-OBS-04")
        front_end.kill()

    assert re.search(r"front-end: ring 0: the device is at \d+ and the driver has not noticed", line)
    assert "the process of the front-end is stopped" in line


@pytest.mark.peers
def test_a_front_end_that_no_longer_reads_its_calls_is_named_without_event_indices(tmp_path: Path) -> None:
    disk = _WithoutEventIndex()

    with (
        disk.back_end(tmp_path, BACK) as back_end,
        watched(tmp_path, OFTEN) as proxy,
        disk.front_end(tmp_path, FRONT) as front_end,
    ):
        proxy.expect(r"ring 0: avail \d{3,}")
        with back_end.stopped():
            finding(proxy, "VU-OBS-01")
            # Now a request is pending. It is completed while the front-end is stopped.
            os.kill(front_end.process.pid, signal.SIGSTOP)
        line = finding(proxy, "VU-OBS-04")
        front_end.process.kill()

    assert re.search(r"front-end: ring 0: the device is at \d+.* and the driver has not made a request since", line)


@pytest.mark.peers
def test_a_virtiofsd_that_is_killed_is_not_accused_and_one_that_is_stopped_is(tmp_path: Path) -> None:
    sharing = _Reading()
    with sharing.daemon(tmp_path, BACK, "virtiofsd") as killed, watched(tmp_path, OFTEN) as proxy:
        with sharing.machine(tmp_path, FRONT, name="first"):
            proxy.expect(r"ring 1: avail \d{2,}")
            killed.kill()
            proxy.expect("connection 1 closed by the back-end")
        with (
            sharing.daemon(tmp_path, BACK, "virtiofsd") as started_again,
            sharing.machine(tmp_path, FRONT, name="second"),
        ):
            proxy.expect(r"c2 --- ring 1: avail \d{2,}")
            with started_again.stopped():
                line = finding(proxy, "VU-OBS-01")

    # The guest also forgets files, which is asked for in ring 0.
    assert re.search(r"back-end: ring [01]: request \d+: FUSE \w+ node \d+ \(unique \d+\), pending for", line)
    assert rings_seen(tmp_path / RECORDED).broken == {(2, "VU-OBS-01")}


@pytest.mark.peers_slow
def test_a_virtiofsd_that_loses_a_kick_from_before_its_ring_was_enabled(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    daemon = f"{Release.TRIXIE.program('virtiofsd', 'virtiofsd')} --socket-path={BACK} --shared-dir=shared"
    # It exits when a connection closes, and the suite makes several.
    again = ["sh", "-c", f"while true; do {daemon} --sandbox=chroot; done"]

    with running("virtiofsd", again, tmp_path, within=Release.TRIXIE.within), watched(tmp_path, OFTEN) as proxy:
        proxy.expect("the back-end is there")
        front = os.fspath(tmp_path / FRONT)
        checked = run("check", "--connect", front, "--only", "RNG-29", "--device", "fs", "--timeout", "7")
        line = finding(proxy, "VU-OBS-02")

    assert b"RNG-29  fail" in checked.stdout
    assert re.search(r"back-end: ring 1: request 0: FUSE INIT .* pending for 5", line)
    assert re.search(r"a kick from before it was enabled \(#\d+\) may have been lost", line)
    summary = " ".join(run("summary", os.fspath(tmp_path / RECORDED)).stdout.decode().split())
    assert re.search(r"stalled connection \d+, ring 1: request 0: FUSE INIT .* it is the turn of the back-end", summary)
