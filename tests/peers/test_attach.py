"""`vudissect attach` on real programs: what it records, and that it lets them go."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.peers import pair
from tests.peers.processes import Process, running, wait_for_listener
from tests.peers.proxy import recorded
from tests.peers.situations.disk import MemoryPlugged
from tests.peers.test_import import contents
from tests.proxy.harness import eventually, recorded_so_far
from vudissect.analysis import Analysis, findings, read
from vudissect.capture.record import Record, RecordKind
from vudissect.compare.captures import by_connection, compare_captures

pytestmark = pytest.mark.peers

RECORDED, BACK, FRONT = "recorded.pcapng", "attached-back.pcapng", "attached-front.pcapng"
RINGS = "rings.txt"


@contextmanager
def attach(folder: Path, pids: Sequence[int], capture: str, *, name: str = "attach") -> Iterator[Process]:
    """Record processes for the length of the block."""
    vudissect = os.fspath(Path(sys.executable).with_name("vudissect"))
    with running(name, [vudissect, "attach", *map(str, pids), "-w", capture, "-q"], folder) as process:
        process.expect("attached to")
        yield process
        if process.alive():
            process.terminate()
            process.finish()


@contextmanager
def talking(folder: Path, messages: int, seconds: float = 0.0) -> Iterator[tuple[Process, Process]]:
    """A back-end that is traced from its start, and a front-end."""
    program = [sys.executable, pair.__file__]
    with running("back", [*program, "back", "pair.sock"], folder) as back:
        wait_for_listener("pair.sock", back)
        with running("front", [*program, "front", "pair.sock", str(messages), str(seconds)], folder) as front:
            yield front, back


def messages(path: Path) -> list[Record]:
    return [record for record in read(path) if record.kind is RecordKind.MESSAGE]


def messages_so_far(path: Path) -> list[Record]:
    """Those in a capture that is being written."""
    return [record for record in recorded_so_far(path) if record.kind is RecordKind.MESSAGE]


def rings_now(folder: Path, pid: int) -> str:
    """The rings of the session that is being recorded, in the memory of the front-end."""
    vudissect = os.fspath(Path(sys.executable).with_name("vudissect"))
    done = subprocess.run(
        [vudissect, "rings", BACK, "--pid", str(pid)], cwd=folder, capture_output=True, text=True, check=False
    )
    (folder / RINGS).write_text(done.stdout)
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A guest uses its disk and gets memory: the back-end was attached to before, the front-end in between."""
    folder = tmp_path_factory.mktemp("attach")
    disk = MemoryPlugged()
    with (
        disk.back_end(folder, "back.sock") as back_end,
        attach(folder, [back_end.pid], BACK),
        recorded(folder / RECORDED, front_end="listen:front.sock", back_end="connect:back.sock", once=True),
        disk.machine(folder, "front.sock") as front_end,
    ):
        front_end.wait_for("waits")
        eventually(lambda: "pending" in rings_now(folder, front_end.process.pid))
        with attach(folder, [front_end.process.pid], FRONT, name="attach-front") as recorder:
            disk.act(folder, front_end, back_end)
            recorder.finish()  # QEMU has exited
    return folder


def test_attached_from_the_first_message_it_is_the_capture_of_the_relay(folder: Path) -> None:
    ours, theirs = (
        by_connection((event for event, _ in Analysis(read(folder / name), rules=())), 1000)
        for name in (RECORDED, BACK)
    )

    (part,) = compare_captures(ours, theirs)

    assert part.compared.distinctions == ()
    assert contents([*read(folder / BACK)]) == contents([*read(folder / RECORDED)])


def test_attached_in_the_middle_the_end_of_the_session_is_there(folder: Path) -> None:
    records = [*read(folder / FRONT)]
    found, whole = contents(records), contents([*read(folder / RECORDED)])

    assert found
    assert found == whole[-len(found) :]
    assert [record.kind for record in records[:2]] == [RecordKind.CONNECTION_OPENED, RecordKind.GAP]


def test_the_rings_of_the_session_can_be_read(folder: Path) -> None:
    text = (folder / RINGS).read_text()

    assert text.startswith("ring 0 of connection 1 (blk request), size ")
    assert re.search(r"\n +\d+ +[\d.]+ +([1-9]\d*) +\1 +0 ", text), text


@pytest.mark.parametrize("name", [BACK, FRONT])
def test_a_healthy_session_has_no_findings(folder: Path, name: str) -> None:
    assert findings(folder / name).findings == []


def test_a_thousand_messages_and_their_descriptors(tmp_path: Path) -> None:
    program = [sys.executable, pair.__file__]
    with running("back", [*program, "back", "pair.sock"], tmp_path) as back:
        wait_for_listener("pair.sock", back)
        with (
            attach(tmp_path, [back.pid], BACK) as recorder,
            running("front", [*program, "front", "pair.sock", "1000", "0"], tmp_path) as front,
        ):
            front.finish()
            back.finish()
            recorder.finish()

    requests = [record for record in messages(tmp_path / BACK) if record.sender == 0]
    assert len(requests) == 1000
    assert sum(len(record.descriptors) for record in requests) == 900


def test_both_sides_are_one_capture(tmp_path: Path) -> None:
    with (
        talking(tmp_path, 100_000, 0.01) as (front, back),
        attach(tmp_path, [front.pid, back.pid], BACK),
    ):
        eventually(lambda: len(messages_so_far(tmp_path / BACK)) >= 20)

    opened = next(iter(read(tmp_path / BACK)))
    assert opened.origin == "strace of both sides"
    assert (opened.details["front_end_pid"], opened.details["back_end_pid"]) == (front.pid, back.pid)
    assert any(record.forwarded > record.received for record in messages(tmp_path / BACK))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_program_goes_on_whatever_ends_the_recording(tmp_path: Path, number: signal.Signals) -> None:
    with talking(tmp_path, 100_000, 0.01) as (front, back):
        with attach(tmp_path, [back.pid], BACK) as recorder:
            eventually(lambda: len(messages_so_far(tmp_path / BACK)) >= 2)
            if number is signal.SIGKILL:
                os.kill(recorder.pid, number)
            else:
                os.kill(recorder.pid, number)
                recorder.finish()
            eventually(lambda: not _traced(back.pid))
        wait_until_it_goes_on(back.pid)
        assert front.alive()


def test_the_program_goes_on_while_the_recorder_is_stopped(tmp_path: Path) -> None:
    with talking(tmp_path, 100_000) as (_, back), attach(tmp_path, [back.pid], BACK) as recorder:
        eventually(lambda: len(messages_so_far(tmp_path / BACK)) >= 2)
        os.kill(recorder.pid, signal.SIGSTOP)
        try:
            time.sleep(0.5)
            wait_until_it_goes_on(back.pid)
        finally:
            os.kill(recorder.pid, signal.SIGCONT)


def test_it_ends_with_the_program(tmp_path: Path) -> None:
    with talking(tmp_path, 100_000, 0.01) as (_, back), attach(tmp_path, [back.pid], BACK) as recorder:
        eventually(lambda: len(messages_so_far(tmp_path / BACK)) >= 2)
        back.kill()
        recorder.finish()

    assert [*read(tmp_path / BACK)][-1].kind is RecordKind.CONNECTION_CLOSED


def _traced(pid: int) -> bool:
    return "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text()


def wait_until_it_goes_on(pid: int) -> None:
    """Wait until a process that receives messages uses its processor, however busy the machine is."""

    def switches() -> str:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(line for line in lines if line.startswith("voluntary_ctxt_switches"))

    before = switches()
    eventually(lambda: switches() != before)
