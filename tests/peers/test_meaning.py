"""The checks of captures find faults."""

from pathlib import Path

import pytest

from tests.peers.meaning import Meaning, meaning_of
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.record import Mark, RecordKind
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.model import Channel, Side
from vudissect.protocol.table import UPSTREAM
from vudissect.wire.codec import Codec

_EVENT = Descriptor(DescriptorKind.EVENTFD, "event:1")
_FILE = Descriptor(DescriptorKind.MEMFD, "file:1", size=4096)


class Conversation:
    """A capture of one connection, message by message."""

    def __init__(self) -> None:
        self._encoder = CaptureEncoder("test", "test", 65536, 0)
        self._codec = Codec(UPSTREAM, "little")
        self._blocks = [self._encoder.preamble(), self._event(RecordKind.CONNECTION_OPENED)]

    def front_end(self, name: str, *values: int, descriptors: tuple[Descriptor, ...] = (), marks: int = 0) -> None:
        (row,) = (row for row in UPSTREAM.channel(Channel.MAIN) if row.name == name)
        self._send(Side.FRONT_END, self._codec.encode(row, row.request[0], values), descriptors, marks)

    def back_end(self, name: str, *values: int) -> None:
        (row,) = (row for row in UPSTREAM.channel(Channel.MAIN) if row.name == name)
        self._send(Side.BACK_END, self._codec.encode(row, row.reply[0], values, reply=True), (), 0)

    def bytes_from_front_end(self, data: bytes) -> None:
        self._send(Side.FRONT_END, data, (), 0)

    def meaning(self, folder: Path) -> Meaning:
        path = folder / "conversation.pcapng"
        path.write_bytes(b"".join([*self._blocks, self._event(RecordKind.CONNECTION_CLOSED)]))
        return meaning_of(path)

    def _send(self, sender: Side, data: bytes, descriptors: tuple[Descriptor, ...], marks: int) -> None:
        self._blocks.append(
            self._encoder.message(1, Channel.MAIN, sender, 0, 0, 0, data, len(data), marks, descriptors)
        )

    def _event(self, kind: RecordKind) -> bytes:
        return self._encoder.event(kind, 1, Channel.MAIN, 0, 0, {})


@pytest.fixture
def talk() -> Conversation:
    return Conversation()


def test_a_valid_conversation_has_no_faults(talk: Conversation, tmp_path: Path) -> None:
    talk.front_end("GET_FEATURES")
    talk.back_end("GET_FEATURES", 1 << 32)
    talk.front_end("SET_VRING_CALL", 0, descriptors=(_EVENT,))
    meaning = talk.meaning(tmp_path)
    faults = (meaning.malformed, meaning.unanswered, meaning.unasked, meaning.miscounted, meaning.misfits, meaning.lost)
    assert faults == ([], [], [], [], [], [])


def test_bytes_that_are_not_a_message_are_malformed(talk: Conversation, tmp_path: Path) -> None:
    talk.bytes_from_front_end(b"\xff" * 12)
    assert len(talk.meaning(tmp_path).malformed) == 1


def test_a_request_without_a_reply_is_unanswered(talk: Conversation, tmp_path: Path) -> None:
    talk.front_end("GET_FEATURES")
    assert len(talk.meaning(tmp_path).unanswered) == 1


def test_a_reply_without_a_request_is_unasked(talk: Conversation, tmp_path: Path) -> None:
    talk.back_end("GET_FEATURES", 0)
    assert len(talk.meaning(tmp_path).unasked) == 1


def test_a_missing_descriptor_is_miscounted(talk: Conversation, tmp_path: Path) -> None:
    talk.front_end("SET_VRING_CALL", 0)
    assert len(talk.meaning(tmp_path).miscounted) == 1


def test_a_descriptor_of_another_kind_is_a_misfit(talk: Conversation, tmp_path: Path) -> None:
    talk.front_end("SET_VRING_CALL", 0, descriptors=(_FILE,))
    assert len(talk.meaning(tmp_path).misfits) == 1


def test_descriptors_that_the_kernel_dropped_are_lost(talk: Conversation, tmp_path: Path) -> None:
    talk.front_end("SET_OWNER", marks=Mark.DESCRIPTORS_LOST)
    assert len(talk.meaning(tmp_path).lost) == 1
