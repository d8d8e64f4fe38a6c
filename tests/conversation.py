"""Conversations for tests: the language of `vudissect.conversation`, and the way back from a capture."""

import io

from vudissect.capture.reader import read_capture
from vudissect.capture.record import Record
from vudissect.conversation.conversation import EPOCH, MILLISECOND, SECOND, Conversation
from vudissect.conversation.descriptors import eventfd, file, memfd, of_kind

__all__ = ["EPOCH", "MILLISECOND", "SECOND", "Conversation", "eventfd", "file", "memfd", "of_kind", "read_back"]


def read_back(capture: bytes) -> list[Record]:
    return list(read_capture(io.BytesIO(capture)))
