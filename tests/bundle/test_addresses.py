"""Addresses of processes are moved in a bundle, if that is wanted."""

from pathlib import Path

import pytest

from vudissect.analysis import findings, read, states
from vudissect.bundle.addresses import Addresses
from vudissect.capture.record import Record

FOLDER = Path(__file__).parents[2] / "captures"
CAPTURES = [FOLDER / f"{name}.pcapng" for name in ("qemu-10.0-blk-qsd-4-regions", "qemu-7.2-net-iommu-dpdk-22.11")]


def moved(capture: Path) -> list[Record]:
    addresses = Addresses()
    return [addresses.moved(record) for record in read(capture)]


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_regions_are_elsewhere_at_the_same_distances(capture: Path) -> None:
    def regions(source: Path | list[Record]) -> list[tuple[int, int, int]]:
        frame = next(record.frame for record in read(capture) if record.details.get("how")) - 1
        memory = states(source, frame)[1].memory
        return sorted((region.guest_addr, region.size, region.user_addr) for region in memory.regions)

    before, after = regions(capture), regions(moved(capture))
    assert [region[:2] for region in after] == [region[:2] for region in before]
    distances = {now[2] - was[2] for was, now in zip(before, after, strict=True)}
    assert len(distances) == 1
    assert 0 not in distances
    assert not distances.pop() % (2 << 20)


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_the_verdict_is_the_same(capture: Path) -> None:
    before, after = findings(capture), findings(moved(capture))
    assert [(finding.rule, finding.frame) for finding in after.findings] == [
        (finding.rule, finding.frame) for finding in before.findings
    ]
