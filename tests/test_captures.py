"""The committed captures, decoded without the programs that they were recorded with."""

from typing import NamedTuple

import pytest
from click.testing import CliRunner

from tests.peers import guest, testpmd
from tests.peers.captures import CAPTURES, FOLDER, path_of, provenance_of
from tests.peers.meaning import Meaning, WellFormedCapture, meaning_of
from tests.peers.provenance import overview
from tests.peers.situations.disk import PLUGGED, SECTORS
from tests.peers.situations.resize import GROWN
from tests.peers.situations.situation import MIB
from tests.peers.uml import SHARED
from vudissect.cli.lint import command as lint
from vudissect.protocol.model import Channel

_LARGEST = 200 * 1024  # bytes, for a file under version control


class Expected(NamedTuple):
    """What a capture must contain: `memory` in bytes, `capacity` in sectors.

    `messages` are those on the main channel without IOTLB messages, whose number differs between runs; `misses` is the
    least number of IOTLB misses by the back-end. `faults` are the rules with errors and warnings, which make
    `lint --strict` fail.
    """

    device: str
    memory: int
    messages: int
    descriptors: int
    capacity: int = 0
    back_end_channel: bool = True
    misses: int = 0
    connections: int = 1
    closed: int = 1
    faults: frozenset[str] = frozenset()


_GUEST = guest.MEMORY * MIB
_TESTPMD = testpmd.MEMORY * MIB
# The back-end was killed while its rings ran, as the situation asks.
_KILLED = frozenset({"VU-END-01"})

EXPECTED = {
    "qemu-7.2-blk-qsd": Expected("blk", _GUEST, 42, 8, capacity=SECTORS),
    "qemu-7.2-blk-qsd-4-queues": Expected("blk", _GUEST, 84, 23, capacity=SECTORS),
    "qemu-7.2-blk-qsd-4-regions": Expected("blk", _GUEST, 48, 11, capacity=SECTORS),
    "qemu-7.2-blk-qsd-reboot": Expected("blk", _GUEST, 64, 12, capacity=SECTORS),
    "qemu-7.2-blk-qsd-driver-reload": Expected("blk", _GUEST, 53, 10, capacity=SECTORS),
    "qemu-7.2-blk-qsd-memory-hotplug": Expected("blk", _GUEST + PLUGGED, 44, 9, capacity=SECTORS),
    "qemu-7.2-blk-qsd-back-end-killed": Expected(
        "blk", _GUEST, 68, 14, capacity=SECTORS, connections=2, closed=2, faults=_KILLED
    ),
    "qemu-7.2-blk-qsd-back-end-stopped": Expected(
        "blk", _GUEST, 42, 8, capacity=SECTORS, faults=frozenset({"VU-OBS-01"})
    ),
    "qemu-7.2-blk-qsd-relay-killed": Expected("blk", _GUEST, 39, 8, capacity=SECTORS, closed=0),
    "qemu-7.2-blk-qsd-relay-restarted": Expected("blk", _GUEST, 29, 6),
    "qemu-7.2-blk-qsd-migration-source": Expected("blk", _GUEST, 48, 9, capacity=SECTORS),
    "qemu-7.2-blk-qsd-migration-destination": Expected("blk", _GUEST, 31, 6, capacity=SECTORS),
    "uml-6.1-blk-qsd-7.2": Expected("blk", SHARED, 57, 4, capacity=SECTORS),
    "qemu-7.2-fs-virtiofsd": Expected("fs", _GUEST, 43, 14),
    "qemu-7.2-net-dpdk-22.11": Expected("net", _GUEST, 52, 10),
    "qemu-7.2-net-dpdk-22.11-2-pairs": Expected("net", _GUEST, 94, 18),
    "qemu-7.2-net-server-dpdk-22.11-client": Expected("net", _GUEST, 52, 10),
    "qemu-7.2-net-dpdk-22.11-migration-source": Expected("net", _GUEST, 60, 11),
    "qemu-7.2-net-dpdk-22.11-migration-destination": Expected("net", _GUEST, 55, 10),
    "qemu-7.2-net-dpdk-22.11-postcopy-destination": Expected("net", _GUEST, 62, 11),
    "qemu-7.2-net-iommu-dpdk-22.11": Expected("net", _GUEST, 52, 10, misses=180),
    "qemu-7.2-net-ovs-3.1": Expected("net", _GUEST, 52, 10),
    "qemu-7.2-net-server-ovs-3.1-client": Expected("net", _GUEST, 52, 10),
    "dpdk-22.11-virtio-user-vhost": Expected("net", _TESTPMD, 35, 5, back_end_channel=False),
    "dpdk-22.11-virtio-user-server-vhost-client": Expected("net", _TESTPMD, 35, 5, back_end_channel=False),
    "dpdk-22.11-virtio-user-2-queues-packed": Expected("net", _TESTPMD, 53, 9, back_end_channel=False),
    "dpdk-22.11-virtio-user-server-vhost-killed": Expected(
        "net",
        _TESTPMD,
        61,
        10,
        back_end_channel=False,
        connections=2,
        closed=2,
        # On a new connection, virtio_user first stops the rings of the connection that it has lost.
        faults=_KILLED | {"VU-NEG-06"},
    ),
    "qemu-10.0-blk-qsd": Expected("blk", _GUEST, 46, 8, capacity=SECTORS),
    "qemu-10.0-blk-qsd-4-queues": Expected("blk", _GUEST, 100, 23, capacity=SECTORS),
    "qemu-10.0-blk-qsd-4-regions": Expected("blk", _GUEST, 52, 11, capacity=SECTORS),
    "qemu-10.0-blk-qsd-reboot": Expected("blk", _GUEST, 72, 12, capacity=SECTORS),
    "qemu-10.0-blk-qsd-memory-hotplug": Expected("blk", _GUEST + PLUGGED, 48, 9, capacity=SECTORS),
    "qemu-10.0-blk-qsd-back-end-killed": Expected(
        "blk", _GUEST, 73, 14, capacity=SECTORS, connections=2, closed=2, faults=_KILLED
    ),
    "qemu-10.0-blk-qsd-migration-source": Expected("blk", _GUEST, 52, 9, capacity=SECTORS),
    "qemu-10.0-blk-qsd-migration-destination": Expected("blk", _GUEST, 33, 6, capacity=SECTORS),
    "qemu-10.0-blk-qsd-7.2": Expected("blk", _GUEST, 46, 8, capacity=SECTORS),
    "qemu-7.2-blk-qsd-10.0": Expected("blk", _GUEST, 42, 8, capacity=SECTORS),
    "qemu-10.0-fs-virtiofsd-1.13": Expected("fs", _GUEST, 50, 14),
    "qemu-10.0-blk-qsd-resize": Expected("blk", _GUEST, 48, 8, capacity=GROWN),
    "libblkio-1.5-qsd-10.0": Expected(
        "blk",
        1194768,
        35,
        4,
        capacity=16384,
        back_end_channel=False,
        # libblkio sets NEED_REPLY on every request, libvhost-user repeats it, and a region ends within a page.
        faults=frozenset({"VU-HDR-05", "VU-RPL-09", "VU-MEM-04"}),
    ),
    "qemu-10.0-fs-virtiofsd-1.13-migration-source": Expected("fs", _GUEST, 61, 16),
    "qemu-10.0-fs-virtiofsd-1.13-migration-destination": Expected("fs", _GUEST, 53, 15),
    "qemu-10.0-net-passt-2025.05": Expected("net", _GUEST, 53, 9, back_end_channel=False),
    # QEMU acknowledges a feature that vhost-user-gpu does not offer.
    "qemu-10.0-gpu": Expected("gpu", _GUEST, 52, 15, faults=frozenset({"VU-NEG-01"})),
    "dpdk-24.11-virtio-user-vhost": Expected("net", _TESTPMD, 35, 5, back_end_channel=False),
}


@pytest.fixture(scope="module", params=CAPTURES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def meaning(name: str) -> Meaning:
    return meaning_of(path_of(name))


@pytest.fixture(scope="module")
def expected(name: str) -> Expected:
    return EXPECTED[name]


def test_no_capture_is_missing_or_unlisted() -> None:
    assert {path.name for path in FOLDER.glob("*.pcapng*")} == {path_of(name).name for name in CAPTURES}


def test_every_capture_has_a_page_and_every_page_a_capture() -> None:
    assert set(FOLDER.glob("*.md")) == {provenance_of(name) for name in CAPTURES} | {FOLDER / "README.md"}


def test_the_table_of_captures_is_up_to_date() -> None:
    assert (FOLDER / "README.md").read_text() == overview()


class TestCapture(WellFormedCapture):
    def test_it_is_small(self, name: str) -> None:
        assert path_of(name).stat().st_size < _LARGEST

    def test_the_connections_are_opened_and_closed(self, meaning: Meaning, expected: Expected) -> None:
        assert (meaning.connections, meaning.closed) == (expected.connections, expected.closed)

    def test_the_linter_finds_only_known_faults(self, meaning: Meaning, expected: Expected) -> None:
        assert meaning.faults == expected.faults

    def test_strict_fails_only_for_captures_with_a_fault(self, name: str, expected: Expected) -> None:
        outcome = CliRunner().invoke(lint, ["--strict", str(path_of(name))])

        assert outcome.exit_code == bool(expected.faults), outcome.output

    def test_the_device_is_recognised(self, meaning: Meaning, expected: Expected) -> None:
        assert meaning.device == expected.device

    def test_the_memory_regions_are_the_shared_memory(self, meaning: Meaning, expected: Expected) -> None:
        assert meaning.memory == expected.memory

    def test_no_descriptor_is_missing(self, meaning: Meaning, expected: Expected) -> None:
        assert meaning.descriptors == expected.descriptors

    def test_no_message_is_missing(self, meaning: Meaning, expected: Expected) -> None:
        translations = 2 * meaning.requests[Channel.MAIN, "IOTLB_MSG"]
        assert meaning.messages[Channel.MAIN] - translations == expected.messages

    def test_the_capacity_is_the_size_of_the_image(self, meaning: Meaning, expected: Expected) -> None:
        assert meaning.capacity == expected.capacity

    def test_the_back_end_channel_is_recorded_if_it_was_set_up(self, meaning: Meaning, expected: Expected) -> None:
        assert (Channel.BACKEND in meaning.opened) == expected.back_end_channel

    def test_the_back_end_reported_iotlb_misses(self, meaning: Meaning, expected: Expected) -> None:
        assert meaning.requests[Channel.BACKEND, "IOTLB_MSG"] >= expected.misses
