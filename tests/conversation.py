"""Conversations for tests: the names of `vudissect.conversation`, and `read_back` for the records of a capture."""

import io

from vudissect.capture.reader import read_capture
from vudissect.capture.record import Record
from vudissect.conversation.conversation import EPOCH, MILLISECOND, SECOND, Conversation
from vudissect.conversation.descriptors import eventfd, file, memfd, of_kind

__all__ = ["EPOCH", "MILLISECOND", "SECOND", "Conversation", "eventfd", "file", "memfd", "of_kind", "read_back"]


def read_back(capture: bytes) -> list[Record]:
    return list(read_capture(io.BytesIO(capture)))
