"""Any text is a conversation or a `ConversationError`."""

import contextlib
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from vudissect.conversation.conversation import ConversationError
from vudissect.conversation.text import read_conversation
from vudissect.protocol.table import UPSTREAM

SCENARIOS = sorted((Path(__file__).parents[1] / "interop").glob("*.vu"))
WORDS = sorted(
    {word for path in SCENARIOS for line in path.read_text().splitlines() if line[:1] != "#" for word in line.split()}
)
NAMES = [row.name for row in UPSTREAM.messages]

REMARKS = (
    "as in #1",
    "[#1 +20us]",
    "[#99999999999 +-1s]",
    "header_flags 0x101",
    "empty",
    "SENT BACK",
    "NOT FORWARDED",
    "CUT, 13 of 20 bytes were recorded",
    "MALFORMED, x: 00 ... (9 bytes)",
    "unknown bytes 00",
)

words = st.one_of(st.sampled_from(WORDS), st.sampled_from(REMARKS), st.sampled_from(NAMES), st.text(max_size=8))
lines = st.builds(
    lambda start, rest: " ".join((start, *rest)),
    st.sampled_from(
        ["F>B", "B>F", "B>F backend:", "F>B gpu:", "---", "...", "c2 F>B", "device", "dialect", "F>B bytes", ""]
    ),
    st.lists(words, max_size=8),
)


@given(st.lists(lines, max_size=12))
@example(["B>F GET_CONFIG -> offset 0 size 4294967295"])
@example(["B>F gpu: UPDATE width 4294967295 height 4294967295"])
@example(["B>F gpu: UPDATE pixels 99999T"])
@example(["B>F GET_SHMEM_CONFIG -> size99999999999 size 1"])
@example(["B>F GET_FEATURES -> bit 99999999999"])
@example(["F>B SET_OWNER cut_short=-1", "F>B SET_OWNER header_flags=-1", "F>B SET_OWNER header_size=0x100000000"])
@example(["c99999999999999999999 F>B SET_OWNER"])
@example(["... 99999999999999999999s", "F>B SET_OWNER"])
@example([" 1 99999999999999999999.0 F>B SET_OWNER", " 2 0.0 F>B SET_OWNER"])
@example(["F>B message 99999999999 payload="])
@example(["--- connection 99999999999: front-end a (pid 99999999999999999999), back-end b"])
@example(["--- 99999999999999999999999 messages are missing here: x"])
@example(["F>B ADD_MEM_REG 0+9999999999T at 0x0 mem#1 (memfd x 99999999T)"])
@example(["F>B SET_VRING_KICK ring 999999 evt#1"])
@example(["F>B SEND_RARP mac=zz", "F>B GET_SHARED_OBJECT uuid=1"])
@example(["F>B SET_MEM_TABLE no regions CUT, 4294967295 of 4294967295 bytes were recorded"])
@example(["F>B SET_MEM_TABLE no regions CUT, 9999999999 of 1 bytes were recorded"])
@example(["F>B SET_OWNER MALFORMED, x: 00 ... (99999999999 bytes)", "B>F GET_FEATURES -> as in #1"])
def test_a_text_is_read_or_refused(text: list[str]) -> None:
    with contextlib.suppress(ConversationError):
        read_conversation("\n".join(text)).capture()
