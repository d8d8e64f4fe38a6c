"""`vudissect times` as a user calls it."""

import json
from pathlib import Path

from tests.cli.program import run
from tests.conversation import Conversation
from tests.timing.test_migration import DESTINATION, SOURCE

CAPTURES = Path(__file__).parents[2] / "captures"
HEALTHY = CAPTURES / "qemu-7.2-blk-qsd.pcapng"


def test_a_healthy_capture_ends_with_status_0() -> None:
    result = run("times", str(HEALTHY))

    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.startswith(b"connection 1: qemu-system-x86_64 and qemu-storage-daemon (blk)\n  phase ")


def test_it_fits_into_80_columns() -> None:
    lines = run("times", str(HEALTHY)).stdout.decode().splitlines()

    assert [line for line in lines if len(line) > 80] == []


def test_two_captures_of_a_migration_are_joined() -> None:
    lines = run("times", str(SOURCE), str(DESTINATION)).stdout.decode().splitlines()

    assert lines[-1].startswith("  973ms in 11 parts, of which no ring ran for 30.6ms")


def test_a_source_alone_says_what_is_not_known() -> None:
    assert (
        run("times", str(SOURCE))
        .stdout.decode()
        .splitlines()[-1]
        .endswith("the rest is not known: no capture has its destination")
    )


def test_a_capture_that_begins_in_mid_session_says_what_is_not_known(tmp_path: Path) -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_ENABLE", index=0, num=1)
    path = tmp_path / "late.pcapng"
    path.write_bytes(talk.capture())

    assert run("times", str(path)).stdout.startswith(b"unknown: the beginning of connection 1 was not recorded")


def test_a_capture_that_is_cut_off_ends_with_status_1(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcapng"
    path.write_bytes(HEALTHY.read_bytes()[:-50])
    result = run("times", str(path))

    assert result.returncode == 1
    assert b"what came after is unknown" in result.stdout
    assert result.stderr.count(b"\n") == 1


def test_a_capture_without_messages_ends_with_status_2(tmp_path: Path) -> None:
    path = tmp_path / "empty.pcapng"
    path.write_bytes(Conversation().capture())
    result = run("times", str(path))

    assert (result.returncode, result.stdout, result.stderr.count(b"\n")) == (2, b"", 1)


def test_each_fact_is_a_json_object() -> None:
    lines = [json.loads(line) for line in run("times", "--json", str(SOURCE), str(DESTINATION)).stdout.splitlines()]

    (migration,) = (line for line in lines if line["kind"] == "migration")
    assert sum(part["duration"] for part in migration["parts"] if part["down"]) == migration["downtime"]


def test_a_trace_is_written_besides(tmp_path: Path) -> None:
    trace = tmp_path / "boot.pftrace"
    result = run("times", "--perfetto", str(trace), str(HEALTHY))

    assert result.stdout == run("times", str(HEALTHY)).stdout
    assert b"GET_FEATURES" in trace.read_bytes()


def test_a_trace_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    result = run("times", "--perfetto", str(tmp_path / "missing" / "boot.pftrace"), str(HEALTHY))

    assert (result.returncode, result.stdout, result.stderr.count(b"\n")) == (2, b"", 1)
