"""A guest that moves while it uses its disk, recorded at both ends: nothing of what it writes is lost."""

import pytest

from tests.peers.meaning import Meaning
from tests.peers.situations.disk import PIECES
from tests.peers.situations.migration import Moved
from tests.peers.test_disk import DiskRecorded
from vudissect.protocol.model import Channel

pytestmark = pytest.mark.peers_slow


class MigrationRecorded(DiskRecorded):
    """A guest wrote before and after it moved."""

    def test_the_guest_moves_while_it_writes(self, seen: Moved) -> None:
        assert 0 < seen.last_piece_at_source < seen.last_piece_at_destination == PIECES - 1


class TestMovesAway(MigrationRecorded):
    capture = "qemu-7.2-blk-qsd-migration-source"

    def test_the_back_end_is_given_a_dirty_log(self, meaning: Meaning) -> None:
        assert meaning.requests[Channel.MAIN, "SET_LOG_BASE"] == 1


class TestArrives(MigrationRecorded):
    capture = "qemu-7.2-blk-qsd-migration-destination"

    def test_the_ring_goes_on_where_it_was(self, meaning: Meaning) -> None:
        (position,) = meaning.positions
        assert position > 0
