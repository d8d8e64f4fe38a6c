"""Sequence diagrams: the same steps as text, for Mermaid, and as a picture."""

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conversation import SECOND, Conversation, eventfd
from tests.render.formats.talks import broken, shown
from vudissect.analysis import read
from vudissect.lint.rule import Rule
from vudissect.protocol.model import Channel
from vudissect.render.format import Option, Shown
from vudissect.render.formats import formats_of
from vudissect.render.sequence import MOST_STEPS

CAPTURES = Path(__file__).parents[3] / "captures"
SVG = "{http://www.w3.org/2000/svg}"


def lines(name: str, talk: Conversation, *options: Option, rules: Sequence[Rule] | None = None) -> list[str]:
    return "".join(formats_of(Shown)[name].render(shown(talk, *options, rules=rules))).splitlines()


def asked() -> Conversation:
    talk = Conversation()
    talk.open("qemu", "disk")
    talk.ask("GET_QUEUE_NUM", queues=2)
    return talk


def test_an_arrow_leads_from_the_sender_to_the_receiver() -> None:
    assert lines("graph", asked(), Option.NO_TIMES, rules=()) == [
        "       front-end                                                     back-end",
        "       qemu                                                              disk",
        "     1 |=========== connection 1: front-end qemu, back-end disk ============|",
        "     2 |- GET_QUEUE_NUM --------------------------------------------------->|",
        "     3 |<.......................................... GET_QUEUE_NUM queues 2 .|",
    ]


def test_the_beginning_is_there_where_the_device_is_known() -> None:
    talk = Conversation()
    talk.records.extend(read(CAPTURES / "qemu-7.2-blk-qsd.pcapng"))

    assert "connection 1: front-end qemu-system-x86 (pid " in lines("graph", talk)[2]


def test_an_answer_has_its_latency() -> None:
    assert re.search(r"GET_QUEUE_NUM queues 2 \(\d+\w+\) \.\|$", lines("graph", asked())[-1])


def test_a_finding_is_below_its_message() -> None:
    found = [line for line in lines("graph", broken()) if "VU-VRG-03" in line]

    assert found[0].startswith("       | ! error VU-VRG-03 #2 front-end: ring 3 is enabled with 7;")


def test_a_silence_is_drawn() -> None:
    talk = asked()
    talk.silence(3 * SECOND)
    talk.front_end("SET_OWNER")

    assert "3.0" in lines("graph", talk)[-2]
    assert " later " in lines("graph", talk)[-2]


def test_many_messages_of_the_device_are_one_line() -> None:
    talk = asked()
    for _ in range(3):
        talk.back_end("VRING_CALL", Channel.BACKEND, index=0)

    assert " 3 messages VRING_CALL (#4 to #6) " in lines("graph", talk, rules=())[-1]


def test_a_message_of_another_channel_names_it() -> None:
    talk = asked()
    talk.back_end("CONFIG_CHANGE_MSG", Channel.BACKEND)

    assert " backend: CONFIG_CHANGE_MSG " in lines("graph", talk, rules=())[-1]


def test_a_descriptor_is_named() -> None:
    talk = asked()
    talk.front_end("SET_VRING_CALL", index=0, descriptors=(eventfd(1),))

    assert "- SET_VRING_CALL ring 0 +evt#1 -" in lines("graph", talk)[-1]


def test_a_capture_that_begins_in_mid_session_says_so() -> None:
    assert any("the beginning of connection 1 was not recorded" in line for line in lines("graph", broken()))


def test_what_is_too_much_is_counted() -> None:
    talk = Conversation()
    for _ in range(MOST_STEPS + 10):
        talk.front_end("SET_OWNER")
    found = lines("mermaid", talk)

    assert found[-1].endswith("more messages are not drawn: select some with --filter")
    assert len(found) == MOST_STEPS + 4


def test_no_line_is_wider_than_the_diagram() -> None:
    talk = asked()
    talk.open("q" * 90, "d" * 90, connection=2)
    talk.front_end("SET_VRING_ADDR", index=0, desc=1 << 60, avail=1 << 61, used=1 << 62)

    assert {len(line) for line in lines("graph", talk)[2:]} == {77}


MERMAID = re.compile(r"sequenceDiagram|    (participant [FB] as .*|[FB]-?->>[FB]: .*|Note over F,B: .*)")


@pytest.mark.parametrize("talk", [asked(), broken()], ids=["asked", "broken"])
def test_mermaid_has_only_its_own_statements(talk: Conversation) -> None:
    assert [line for line in lines("mermaid", talk) if not MERMAID.fullmatch(line)] == []


def test_mermaid_draws_answers_with_dashes() -> None:
    assert lines("mermaid", asked(), Option.NO_TIMES, rules=())[-2:] == [
        "    F->>B: #35;2 GET_QUEUE_NUM",
        "    B-->>F: #35;3 GET_QUEUE_NUM queues 2",
    ]


def test_mermaid_does_not_take_a_name_as_its_language() -> None:
    talk = Conversation()
    talk.open("a;B->>F: <script>", "b#quot;")
    found = lines("mermaid", talk)

    assert found[1:3] == [
        "    participant F as front-end<br/>a#59;B-#62;#62;F: #60;script#62;",
        "    participant B as back-end<br/>b#35;quot#59;",
    ]


def test_the_picture_has_an_arrow_per_message() -> None:
    picture = ElementTree.fromstring("\n".join(lines("svg", asked())))

    assert [line.get("class") for line in picture.iter(f"{SVG}line")] == ["life", "life", "message", "answer"]


def test_the_picture_runs_nothing() -> None:
    talk = Conversation()
    talk.open("<script>alert(1)</script>", '"onload="x')
    picture = ElementTree.fromstring("\n".join(lines("svg", talk)))

    assert {each.tag.removeprefix(SVG) for each in picture.iter()} <= {
        "svg", "title", "style", "defs", "marker", "path", "rect", "text", "line"
    }  # fmt: skip
    assert [name for each in picture.iter() for name in each.attrib if name.startswith("on")] == []
    assert "<script>alert(1)</script>" in [each.text for each in picture.iter(f"{SVG}text")]


def test_a_real_flood_is_short() -> None:
    talk = Conversation()
    talk.records.extend(read(CAPTURES / "qemu-7.2-net-iommu-dpdk-22.11.pcapng"))

    assert len(lines("graph", talk)) < 100
