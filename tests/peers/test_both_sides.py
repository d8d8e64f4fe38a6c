"""A migration that is recorded at its source and at its destination, by two proxies: the parts add up."""

from functools import partial
from pathlib import Path

import pytest

from tests.peers.captures import CAPTURES
from tests.peers.proxy import recorded
from tests.peers.situations.migration import MigrationSource, migrate
from tests.timing.talks import joined

pytestmark = pytest.mark.peers_slow

_SOURCE, _DESTINATION = "source.pcapng", "destination.pcapng"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both captures."""
    folder = tmp_path_factory.mktemp("sides")
    situation = CAPTURES["qemu-7.2-blk-qsd-migration-source"].situation
    assert isinstance(situation, MigrationSource)
    between = [
        partial(
            recorded, folder / f"{side}.pcapng", front_end=f"listen:{side}.sock", back_end=f"connect:{side}-back.sock"
        )
        for side in ("source", "destination")
    ]
    with (
        situation.daemon(folder, "source-back.sock", "storage-daemon-of-source"),
        situation.daemon(folder, "destination-back.sock", "storage-daemon-of-destination"),
        between[0](),
        between[1](),
        situation.destination(folder, "destination.sock") as destination,
        situation.source(folder, "source.sock") as source,
    ):
        migrate(source, destination)
    return folder


def test_the_parts_last_as_long_as_the_migration(folder: Path) -> None:
    migration, begin, stop, kick = joined(folder / _SOURCE, folder / _DESTINATION)

    assert len(migration.parts) >= 8
    assert migration.duration == kick - begin
    assert migration.downtime == kick - stop
