"""`vuproxy run` records what `vuproxy --listen --connect` records, and what it starts does not notice."""

import sys
from hashlib import sha256
from pathlib import Path

import pytest

from tests.peers.proxy import recorded
from tests.peers.situations.disk import GUEST_WRITES, Disk, DiskUse, disk_use
from vudissect.analysis import Analysis
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Record, RecordKind
from vudissect.compare.captures import by_connection, compare_captures
from vudissect.compare.exchange import Exchanges

pytestmark = pytest.mark.peers

VUPROXY = Path(sys.executable).with_name("vuproxy")
RUN, BETWEEN = "run.pcapng", "between.pcapng"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both captures."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def use(folder: Path) -> DiskUse:
    """A guest's use of a disk, once with a proxy between and once with `run`: the second."""
    disk = Disk()
    with (
        disk.back_end(folder, "back.sock"),
        recorded(folder / BETWEEN, front_end="listen:front.sock", back_end="connect:back.sock"),
        disk.machine(folder, "front.sock") as guest,
    ):
        guest.results()
    (folder / "disk.img").unlink()
    wrapper = [str(VUPROXY), "run", "-w", RUN, "--"]
    with disk.back_end(folder, "disk.sock"), disk.machine(folder, "disk.sock", name="run", wrapper=wrapper) as guest:
        return disk_use(folder, guest.results())


def records(path: Path) -> list[Record]:
    with open_capture(str(path)) as stream:
        return list(read_capture(stream))


def messages(path: Path) -> list[tuple[object, ...]]:
    """The messages, without what is different in each run: addresses and the numbers of files."""
    return [
        (each.channel, each.sender, each.data[:12], [descriptor.kind for descriptor in each.descriptors])
        for each in records(path)
        if each.kind is RecordKind.MESSAGE
    ]


def test_the_guest_reads_back_what_it_wrote(use: DiskUse) -> None:
    assert use.digest_of_written == sha256(GUEST_WRITES).hexdigest()


@pytest.mark.usefixtures("use")
def test_it_is_recorded_message_for_message(folder: Path) -> None:
    assert len(messages(folder / BETWEEN)) > 40
    assert messages(folder / RUN) == messages(folder / BETWEEN)


@pytest.mark.usefixtures("use")
def test_the_payloads_are_the_same_but_for_what_differs_in_each_run(folder: Path) -> None:
    (part,) = compare_captures(*(exchanges(folder / name) for name in (BETWEEN, RUN)))

    assert part.compared.distinctions == ()


def exchanges(path: Path) -> list[Exchanges]:
    return by_connection((event for event, _ in Analysis(records(path), rules=())), 1000)


@pytest.mark.usefixtures("use")
def test_the_connection_has_the_id_of_the_device(folder: Path) -> None:
    opened = [each for each in records(folder / RUN) if each.kind is RecordKind.CONNECTION_OPENED]

    assert [(each.device, each.device_id) for each in opened] == [("blk", "disk")]
