"""Long lines are read in linear time; anything slower runs into the timeout of the test."""

import contextlib

import pytest

from vudissect.conversation.conversation import ConversationError
from vudissect.conversation.text import read_conversation

LENGTH = 100_000
STARTS = (
    "",
    "F>B ",
    "F>B SET_MEM_TABLE ",
    "F>B SET_MEM_TABLE +mem#1 (",
    "B>F SET_OWNER -> MALFORMED, ",
    "--- ",
    "... ",
    "--- connection front-end=",
    "--- closed by front-end (",
    "B>F GET_CONFIG blk: ",
    "1 1.1 F>B ",
    "F>B bytes ",
)
PARTS = (
    "a",
    "1",
    " ",
    "(was ",
    "[#1",
    "MALFORMED, ",
    ": ",
    "evt#1 (x",
    "bit 1 ",
    "avail 1",
    "FAILED (1",
    "ack=1 ",
    "a+1 at ",
    "0+1 at 0 ",
    "ok ",
    "x=1 ",
    "size1 ",
    "all but ",
    "message ",
    "1K",
    "1.1 ",
    "payload=00 ",
)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("part", PARTS)
def test_a_part_repeated_over_a_whole_line(part: str) -> None:
    for start in STARTS:
        with contextlib.suppress(ConversationError):
            read_conversation(start + part * (LENGTH // len(part)))
