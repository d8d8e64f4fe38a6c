"""Conversations in Python: each message becomes a record, and what cannot be expressed is refused."""

from inspect import signature

import pytest

from tests.conversation import MILLISECOND, SECOND, Conversation, eventfd, memfd, of_kind, read_back
from vudissect.capture.record import Mark, RecordKind
from vudissect.conversation.conversation import ConversationError
from vudissect.host.descriptor import DescriptorKind
from vudissect.protocol.model import Channel, Side
from vudissect.protocol.payloads import MEM_TABLE_TWO
from vudissect.protocol.table import UPSTREAM
from vudissect.session.event import Kind


def test_a_conversation_survives_the_round_trip_through_a_capture() -> None:
    talk = Conversation()
    talk.open("qemu", "disk", front_end_pid=7)
    talk.front_end("SET_MEM_TABLE", regions=[{"size": 4096}], descriptors=(memfd(),), marks=Mark.SPLIT)
    talk.back_end("CONFIG_CHANGE_MSG", Channel.BACKEND, need_reply=True)
    talk.close("back-end", "reset")

    assert read_back(talk.capture()) == talk.records


def test_ask_adds_a_request_and_its_reply() -> None:
    talk = Conversation()
    talk.ask("GET_QUEUE_NUM", queues=3)
    talk.ask("SHARED_OBJECT_LOOKUP", Channel.BACKEND, result=0)

    assert [record.sender for record in talk.records] == [
        Side.FRONT_END,
        Side.BACK_END,
        Side.BACK_END,
        Side.FRONT_END,
    ]
    assert [event.kind for event in talk.events()] == [Kind.REQUEST, Kind.REPLY] * 2


def test_a_layout_can_be_given_as_an_object_or_by_name() -> None:
    talk = Conversation()
    talk.front_end("SET_MEM_TABLE", layout=MEM_TABLE_TWO, regions=[{}])
    talk.front_end("SET_MEM_TABLE", layout="memory table (two slots)", regions=[{}])

    assert talk.records[0].data == talk.records[1].data
    assert len(talk.records[0].data) == 12 + 72


def test_a_reply_without_a_layout_of_its_own_is_an_acknowledgement() -> None:
    talk = Conversation()
    talk.back_end("SET_OWNER", result=3)

    assert talk.records[0].data[12:] == (3).to_bytes(8, "little")


def test_silence_and_after_advance_the_time() -> None:
    talk = Conversation()
    talk.front_end("SET_OWNER")
    talk.silence(SECOND)
    talk.front_end("SET_OWNER", after=5)

    assert talk.records[1].received - talk.records[0].received == SECOND + 5


def test_each_record_comes_a_millisecond_after_the_previous_one() -> None:
    talk = Conversation()
    talk.front_end("SET_OWNER")
    talk.close("front-end")

    assert [record.received for record in talk.records] == [MILLISECOND, 2 * MILLISECOND]


def test_only_the_same_kind_and_name_is_the_same_object() -> None:
    assert eventfd(1).identity == eventfd(1).identity
    assert len({eventfd(1).identity, eventfd(2).identity, memfd("1").identity}) == 3
    assert of_kind(DescriptorKind.PIPE, "1").identity != of_kind(DescriptorKind.SOCKET, "1").identity


def test_a_message_can_be_cut_short() -> None:
    talk = Conversation()
    talk.front_end("SET_FEATURES", features=0, cut_short=15)

    (event,) = talk.events()
    assert event.message is not None
    assert event.message.problem == "cut short: 3 of 8 payload bytes"


def test_an_event_belongs_to_a_channel_and_connection() -> None:
    talk = Conversation()
    talk.event(RecordKind.CHANNEL_OPENED, Channel.GPU, connection=4)

    assert (talk.records[0].channel, talk.records[0].connection) == (Channel.GPU, 4)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("SET_MEMORY", {}, "main channel has no message SET_MEMORY"),
        (99, {}, "no message 99; give its payload"),
        ("SET_OWNER", {"index": 1}, "SET_OWNER: no field 'index'"),
        ("SET_OWNER", {"layout": "table"}, "SET_OWNER has no layout 'table'; its layouts: none"),
        ("SET_VRING_NUM", {"num": 1 << 32}, "SET_VRING_NUM.num: "),
    ],
)
def test_an_error_names_what_is_wrong(name: str | int, options: dict[str, object], words: str) -> None:
    with pytest.raises(ConversationError) as error:
        Conversation().front_end(name, **options)

    assert words in str(error.value)


def test_no_field_has_the_name_of_an_option() -> None:
    options = set(signature(Conversation.say).parameters) - {"fields"}
    layouts = {layout for row in UPSTREAM.messages for layout in (*row.request, *row.reply)}

    assert {name for layout in layouts for name in layout.names} & options == set()
