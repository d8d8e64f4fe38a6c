"""Rings of real programs, seen while they run: who is stuck is named, and nobody who works is accused."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_commands import run
from tests.peers.captures import CAPTURES
from tests.peers.daemons import storage_daemon
from tests.peers.processes import Process, running, wait_for_listener
from tests.peers.proxy import recorded
from tests.peers.situations.disk import IMAGE, Disk, contents
from tests.peers.situations.situation import BACK, FRONT
from tests.peers.uml import DISK, uml
from vudissect.analysis import analyse
from vudissect.capture.observation import Observation, observation_of
from vudissect.capture.record import RecordKind

_READ_FOR_EVER = "while true; do dd if=/dev/vda of=/dev/null bs=4k count=8 iflag=direct 2> /dev/null; done\n"
_SOME = 100
_READ_SOME = f"dd if=/dev/vda of=/dev/null bs=4k count={_SOME} iflag=direct 2> /dev/null\n"
_QUICK = (
    "uml-6.1-blk-qsd-7.2",
    "dpdk-22.11-virtio-user-vhost",
    "dpdk-22.11-virtio-user-2-queues-packed",
    "qemu-7.2-net-dpdk-22.11",
)

# This session is over after some 30 ms, perhaps before anybody has looked.
_TOO_SHORT = ("libblkio-1.5-qsd-10.0",)


def _mark(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.peers if name in _QUICK else pytest.mark.peers_slow)


@contextmanager
def watched(folder: Path, back_end: Process) -> Iterator[Process]:
    """A `vuproxy` that looks into the rings and prints what it sees."""
    wait_for_listener(BACK, back_end)
    command = [os.fspath(Path(sys.executable).with_name("vuproxy")), "--rings=requests", "--rings-interval=0.2"]
    command += ["--listen", FRONT, "--connect", BACK, "-w", "recorded.pcapng"]
    with running("vuproxy", command, folder) as proxy:
        wait_for_listener(FRONT, proxy)
        yield proxy
        proxy.terminate()
        proxy.finish()


def observed(capture: Path) -> tuple[list[Observation], set[str]]:
    """What was seen in the rings, and the rules about it that were broken."""
    analysis = analyse(capture)
    judged = list(analysis)
    seen = [
        observation
        for event, _ in judged
        if event.record.kind is RecordKind.RING_OBSERVED
        and (observation := observation_of(event.record.details)) is not None
    ]
    findings = [*(finding for _, found in judged for finding in found), *analysis.finish()]
    return seen, {finding.rule for finding in findings if finding.rule.startswith("VU-OBS")}


@pytest.mark.parametrize("name", [_mark(name) for name in CAPTURES])
def test_a_healthy_session_is_seen_and_not_accused(name: str, tmp_path: Path) -> None:
    capture = tmp_path / "recorded.pcapng"
    options = ("--rings=requests", "--rings-interval=0.1")

    CAPTURES[name].situation.record(tmp_path, capture, options)

    seen, broken = observed(capture)
    assert name in _TOO_SHORT or any(observation.avail is not None for observation in seen)
    assert broken == set()


@pytest.mark.peers
def test_a_back_end_that_forgets_to_signal_is_named(tmp_path: Path) -> None:
    fault = tmp_path / "fault"
    fault.write_text("RNG-01")
    reference = [sys.executable, "-m", "vudissect.check.reference", BACK, str(fault)]

    with (
        running("reference", reference, tmp_path) as back_end,
        watched(tmp_path, back_end) as proxy,
        Disk().front_end(tmp_path, FRONT) as front_end,
    ):
        line = proxy.expect(r"VU-OBS-05 \S+ .*(?:\n +.*)*").group()
        front_end.process.kill()

    assert re.search(r"back-end: ring 0: the device has completed requests up to \d+", " ".join(line.split()))


@pytest.mark.peers
def test_a_session_that_is_recorded_without_it_can_be_seen(tmp_path: Path) -> None:
    image, capture = tmp_path / IMAGE, tmp_path / "recorded.pcapng"
    image.write_bytes(contents())
    script = f"{_READ_SOME}echo RESULT read=all\n{_READ_FOR_EVER}"

    with (
        storage_daemon(image, BACK, tmp_path) as back_end,
        recorded(capture, front_end=f"listen:{FRONT}", back_end=f"connect:{BACK}"),
        uml(script, tmp_path, modules=("virtio_blk",), device=DISK, socket=FRONT) as front_end,
    ):
        front_end.expect("RESULT read=all")
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
    image = tmp_path / IMAGE
    image.write_bytes(contents())

    with (
        storage_daemon(image, BACK, tmp_path) as back_end,
        watched(tmp_path, back_end) as proxy,
        uml(_READ_FOR_EVER, tmp_path, modules=("virtio_blk",), device=DISK, socket=FRONT) as front_end,
    ):
        proxy.expect(r"ring 0: avail \d{2,}")
        os.kill(back_end.pid, signal.SIGSTOP)
        try:
            # It may have been polling at that moment.
            line = proxy.expect(r"VU-OBS-0[12] \S+ .*(?:\n +.*)*").group()
        finally:
            os.kill(back_end.pid, signal.SIGCONT)
        front_end.kill()

    assert re.search(r"back-end: ring 0: request \d+: read sector \d+, 8 sectors, pending for", " ".join(line.split()))
