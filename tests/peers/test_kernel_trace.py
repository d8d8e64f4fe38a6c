"""`vudissect attach --by bpftrace` on real programs. Its programs take seconds to compile."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.peers import pair
from tests.peers.processes import Process, program, running, wait_for_listener
from tests.peers.proxy import recorded
from tests.peers.situations.disk import MemoryPlugged
from tests.peers.strace import attached as strace
from tests.peers.test_attach import messages, messages_so_far, talking
from tests.peers.test_import import contents
from tests.proxy.harness import eventually
from vudissect.analysis import Analysis, findings, read
from vudissect.capture.record import RecordKind
from vudissect.compare.captures import by_connection, compare_captures

pytestmark = pytest.mark.peers_slow

RECORDED, TRACED = "recorded.pcapng", "traced.pcapng"
PAIR = (sys.executable, pair.__file__)


@contextmanager
def attach(folder: Path, *pids: int, by: Sequence[str] = ("--by", "bpftrace")) -> Iterator[Process]:
    """Record processes for the length of the block."""
    program("bpftrace", "bpftrace")
    vudissect = os.fspath(Path(sys.executable).with_name("vudissect"))
    arguments = [vudissect, "attach", *by, *map(str, pids), "-w", TRACED, "-q"]
    with running("attach", arguments, folder) as process:
        process.expect("attached to", 90)
        yield process
        if process.alive():
            process.terminate()
            process.finish()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A guest uses its disk and gets memory; the back-end was attached to before."""
    folder = tmp_path_factory.mktemp("traced")
    disk = MemoryPlugged()
    with (
        disk.back_end(folder, "back.sock") as back_end,
        attach(folder, back_end.pid),
        recorded(folder / RECORDED, front_end="listen:front.sock", back_end="connect:back.sock", once=True),
        disk.machine(folder, "front.sock") as front_end,
    ):
        front_end.wait_for("waits")
        disk.act(folder, front_end, back_end)
    return folder


def test_it_is_the_capture_of_the_relay(folder: Path) -> None:
    ours, theirs = (
        by_connection((event for event, _ in Analysis(read(folder / name), rules=())), 1000)
        for name in (RECORDED, TRACED)
    )

    (part,) = compare_captures(ours, theirs)

    assert part.compared.distinctions == ()
    assert contents([*read(folder / TRACED)]) == contents([*read(folder / RECORDED)])


def test_a_healthy_session_has_no_findings(folder: Path) -> None:
    assert findings(folder / TRACED).findings == []


def test_a_thousand_messages_and_their_descriptors(tmp_path: Path) -> None:
    with running("back", [*PAIR, "back", "pair.sock"], tmp_path) as back:
        wait_for_listener("pair.sock", back)
        with (
            attach(tmp_path, back.pid) as recorder,
            running("front", [*PAIR, "front", "pair.sock", "1000", "0"], tmp_path) as front,
        ):
            front.finish()
            back.finish()
            recorder.finish()

    requests = [record for record in messages(tmp_path / TRACED) if record.sender == 0]
    assert len(requests) == 1000
    assert sum(len(record.descriptors) for record in requests) == 900
    closed = [*read(tmp_path / TRACED)][-1]
    assert (closed.kind, closed.details["by"]) == (RecordKind.CONNECTION_CLOSED, "front-end")


def test_both_sides_are_one_capture_and_go_on(tmp_path: Path) -> None:
    with talking(tmp_path, 100_000, 0.01) as (front, back):
        with attach(tmp_path, front.pid, back.pid):
            eventually(lambda: len(messages_so_far(tmp_path / TRACED)) >= 20)
        assert front.alive()
        assert back.alive()

    opened = next(iter(read(tmp_path / TRACED)))
    assert opened.origin == "bpftrace of both sides"
    assert any(record.forwarded > record.received for record in messages(tmp_path / TRACED))


def test_bpftrace_ends_with_a_recorder_that_is_killed(tmp_path: Path) -> None:
    with talking(tmp_path, 100_000, 0.01) as (_, back), attach(tmp_path, back.pid) as recorder:
        (tracer,) = Path(f"/proc/{recorder.pid}/task/{recorder.pid}/children").read_text().split()
        os.kill(recorder.pid, signal.SIGKILL)

        eventually(lambda: not Path(f"/proc/{tracer}").exists())


def test_a_process_that_strace_has_already_is_traced_with_bpftrace(tmp_path: Path) -> None:
    with talking(tmp_path, 100_000, 0.01) as (_, back), strace(back, tmp_path / "first.log"):
        with attach(tmp_path, back.pid, by=()) as recorder:
            eventually(lambda: len(messages_so_far(tmp_path / TRACED)) >= 2)

        assert f"with bpftrace until Ctrl-C, as process {back.pid} is being traced by process" in recorder.output()
