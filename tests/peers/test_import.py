"""Logs of strace on both sides of a relay: each is the capture that the relay has made."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.peers.proxy import recorded
from tests.peers.situations.disk import SECTORS, Disk
from tests.peers.strace import attached, strace_options
from vudissect.analysis import Analysis, findings, read
from vudissect.capture.record import Record
from vudissect.compare.captures import by_connection, compare_captures
from vudissect.sources.imports import import_logs

pytestmark = pytest.mark.peers

CAPTURE, FRONT, BACK = "recorded.pcapng", "front.strace", "back.strace"
LOGS = ((FRONT,), (BACK,), (FRONT, BACK))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A guest has used its disk; the relay and both sides were recorded."""
    folder = tmp_path_factory.mktemp("strace")
    disk = Disk()
    with (
        disk.back_end(folder, "back.sock") as back_end,
        attached(back_end, folder / BACK),
        recorded(folder / CAPTURE, front_end="listen:front.sock", back_end="connect:back.sock", once=True),
        disk.machine(folder, "front.sock", wrapper=[*strace_options(), FRONT]) as front_end,
    ):
        assert disk.act(folder, front_end, back_end).sectors == SECTORS
    return folder


@pytest.mark.parametrize("logs", LOGS, ids=["front-end", "back-end", "both"])
def test_the_import_is_the_capture_of_the_relay(folder: Path, logs: Sequence[str]) -> None:
    ours = by_connection((event for event, _ in Analysis(read(folder / CAPTURE), rules=())), 1000)
    theirs = by_connection((event for event, _ in Analysis(imported(folder, logs), rules=())), 1000)

    (part,) = compare_captures(ours, theirs)

    assert part.compared.distinctions == ()


@pytest.mark.parametrize("logs", LOGS, ids=["front-end", "back-end", "both"])
def test_the_import_of_a_healthy_session_has_no_findings(folder: Path, logs: Sequence[str]) -> None:
    assert findings(imported(folder, logs)).findings == []


def test_the_bytes_and_the_number_of_descriptors_are_those_of_the_relay(folder: Path) -> None:
    for logs in LOGS:
        assert contents(imported(folder, logs)) == contents([*read(folder / CAPTURE)])


def contents(records: Sequence[Record]) -> list[tuple[int, bytes, int]]:
    messages = [record for record in records if record.data]
    return [(record.sender, record.data, len(record.descriptors)) for record in messages]


def imported(folder: Path, logs: Sequence[str]) -> Sequence[Record]:
    return import_logs([(log, (folder / log).read_text().splitlines()) for log in logs]).records
