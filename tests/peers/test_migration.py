"""A guest that migrates while it uses its disk, recorded at both ends: nothing that it writes is lost."""

import pytest

from tests.peers.meaning import Meaning
from tests.peers.situations.disk import PIECES
from tests.peers.situations.migration import Migrated
from tests.peers.test_disk import DiskRecorded
from vudissect.protocol.model import Channel

pytestmark = pytest.mark.peers_slow


class MigrationRecorded(DiskRecorded):
    """A guest wrote before and after its migration."""

    def test_the_guest_migrates_while_it_writes(self, result: Migrated) -> None:
        assert 0 < result.last_piece_at_source < result.last_piece_at_destination == PIECES - 1


class TestMigrationSource(MigrationRecorded):
    capture = "qemu-7.2-blk-qsd-migration-source"

    def test_the_back_end_gets_a_dirty_log(self, meaning: Meaning) -> None:
        assert meaning.requests[Channel.MAIN, "SET_LOG_BASE"] == 1


class TestMigrationDestination(MigrationRecorded):
    capture = "qemu-7.2-blk-qsd-migration-destination"

    def test_the_ring_resumes_where_it_was(self, meaning: Meaning) -> None:
        (position,) = meaning.positions
        assert position > 0
