"""A host directory in a guest, recorded: the files are right, and so is the capture."""

from hashlib import sha256

import pytest

from tests.peers import guest
from tests.peers.meaning import HealthyCapture, Meaning
from tests.peers.situations.file_system import GUEST_WRITES, Sharing
from tests.peers.situations.situation import MIB
from vudissect.protocol.model import Channel

pytestmark = pytest.mark.peers


class FilesRecorded(HealthyCapture):
    """A guest mounted a directory."""

    def test_the_guest_reads_the_file_from_the_host(self, result: Sharing) -> None:
        assert result.digest_of_given == sha256(result.given).hexdigest()

    def test_the_host_reads_the_file_from_the_guest(self, result: Sharing) -> None:
        assert result.taken == GUEST_WRITES

    def test_the_memory_regions_are_the_memory_of_the_guest(self, meaning: Meaning) -> None:
        assert meaning.memory == guest.MEMORY * MIB

    def test_the_device_is_recognised(self, meaning: Meaning) -> None:
        assert meaning.device == "fs"

    def test_the_back_end_channel_is_open_and_unused(self, meaning: Meaning) -> None:
        assert Channel.BACKEND in meaning.opened
        assert meaning.messages[Channel.BACKEND] == 0


class TestFileSystem(FilesRecorded):
    capture = "qemu-7.2-fs-virtiofsd"
