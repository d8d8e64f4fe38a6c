"""A session as text is the same session again."""

import pytest

from tests.fuzz_peers.sessions import TALK, a_session
from vudissect.conversation.conversation import ConversationError
from vudissect.conversation.text import read_conversation
from vudissect.fuzz.lines import line_of
from vudissect.fuzz.steps import (
    HangUp,
    Kick,
    Message,
    Wait,
    Write,
    chained,
    described,
    in_turn,
    message,
    read_steps,
    text_of,
)
from vudissect.protocol.model import Side

RAM = described("mem", "1", "memfd ram 16M")


def test_a_conversation_has_the_steps_of_the_front_end() -> None:
    steps = read_steps(f"--- connection: front-end a, back-end b\n{TALK}c2 F>B GET_FEATURES\nc2 B>F GET_FEATURES none")

    assert [step.name for step in steps[:2]] == ["GET_FEATURES", "SET_OWNER"]
    assert steps[-2:] == (HangUp(), message(1, b"", connection=2))


@pytest.mark.parametrize(
    "line",
    [
        "F>B bytes 0102",
        "F>B SET_VRING_NUM (vring state) index=0 num=9999 header_size=4294967295",
        "F>B SET_VRING_NUM (vring state) index=0 num=1 need_reply",
        "F>B SET_VRING_NUM (vring state) index=0 num=1 header_flags=0x11",
        "F>B SET_VRING_NUM payload=00",
        "c2 F>B GET_FEATURES (none) mem#x (memfd x 5000 seals 0xf) pipe#1 (to read) pipe#2 sock#3 (dgram)",
        "F>B bytes e8030000010000000100000000",
        "c3 --- closed by front-end",
    ],
)
def test_a_step_reads_back_as_it_was(line: str) -> None:
    (step,) = read_steps(line)

    assert read_steps(step.line) == (step,)
    assert step.line == line


@pytest.mark.parametrize(
    "line",
    [
        "F>B GET_FEATURES (none)",
        "F>B SET_BACKEND_REQ_FD (none) sock#1 (stream)",
        "B>F GET_FEATURES (virtio features) features=0x140000000",
        "B>F GET_QUEUE_NUM (u64) queues=2 need_reply",
        "B>F POSTCOPY_ADVISE (none) mem#b2 (memfd i 4K)",
        "c2 B>F backend: CONFIG_CHANGE_MSG (none) need_reply",
        "B>F backend: bytes 0102",
        "c2 --- closed by back-end",
        "# no answer",
        "# as far as it comes",
    ],
)
def test_a_step_of_a_back_end_reads_back_as_it_was(line: str) -> None:
    (step,) = read_steps(line, Side.BACK_END)

    assert read_steps(step.line, Side.BACK_END) == (step,)
    assert step.line == line


def test_a_back_end_waits_for_what_the_front_end_sends() -> None:
    steps = read_steps("F>B GET_FEATURES\nB>F GET_FEATURES none\n--- closed by front-end", Side.BACK_END)

    assert [type(step) for step in steps] == [Wait, Message]


def test_what_no_message_does_is_a_comment_for_all_other_commands() -> None:
    steps = (*a_session()[:4], Write(RAM, 0x1000, b"\1\2"), *a_session()[4:8], Kick(described("evt", "2")))
    text = text_of(steps)

    assert "# write mem#1 at 0x1000: 0102\n" in text
    assert read_steps(text) == steps
    assert len(read_conversation(text).records) == 8


def test_memory_that_was_not_passed_cannot_be_written_to() -> None:
    with pytest.raises(ConversationError, match="line 2: no message before this line passes mem#7"):
        read_steps("F>B GET_FEATURES\n# write mem#7 at 0: 00")


def test_what_the_back_end_passes_has_a_name_of_its_own() -> None:
    record = read_conversation("B>F POSTCOPY_ADVISE empty mem#1 (memfd x 4K)").records[0]
    nameless = record._replace(descriptors=(record.descriptors[0]._replace(identity=""),))

    text = f"F>B SET_MEM_TABLE payload=00 mem#1 (memfd ram 16M)\n{line_of(record)}\n{line_of(nameless)}"

    assert [len(each.descriptors) for each in read_conversation(text).records] == [1, 1, 1]


def test_the_fields_of_an_array_read_back() -> None:
    table = a_session()[3]
    assert isinstance(table, Message)

    assert "region0 guest_addr=0 size=0x1000000 user_addr=0x7f0000000000" in table.line
    assert read_steps(table.line) == (table,)


def test_connections_come_one_after_the_other() -> None:
    assert in_turn((message(1, b"", connection=5), HangUp(7), message(1, b""))) == (
        message(1, b""),
        HangUp(),
        message(1, b"", connection=2),
    )


def test_sessions_in_a_row_have_connections_of_their_own() -> None:
    steps = chained([(message(1, b""),), (message(3, b""), HangUp())])

    assert [step.connection for step in steps if isinstance(step, Message)] == [1, 2]
