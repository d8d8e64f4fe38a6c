"""JSON: one object for each event and for each finding, whatever the number of captures."""

import json
from pathlib import Path
from typing import Any

from tests.conversation import Conversation, eventfd, memfd
from tests.render.formats.talks import broken, differing, linted, shown, summarised, timed
from vudissect.analysis import Analysis
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.render.format import ConnectionState, Differing, Reported, Shown, Stated, Summarised, Timed
from vudissect.render.formats import formats_of


def test_each_event_is_a_line() -> None:
    lines = [json.loads(line) for line in formats_of(Shown)["json"].render(shown(broken()))]

    assert [line["frame"] for line in lines] == [1, 2]


def test_each_finding_is_a_line_with_its_capture() -> None:
    lines = [json.loads(line) for line in formats_of(Reported)["json"].render(linted(broken(), broken()))]

    assert {(line["file"], line["rule"]) for line in lines} >= {("1.pcapng", "VU-VRG-03"), ("2.pcapng", "VU-VRG-03")}


def state_of(talk: Conversation) -> dict[str, Any]:
    analysis = Analysis(talk.records, rules=())
    frame = analysis.read_to()
    connections = [
        ConnectionState(state, analysis.session.pairing(number), None)
        for number, state in analysis.session.states.items()
    ]
    (line,) = formats_of(Stated)["json"].render(Stated("talk.pcapng", frame, connections))
    state: dict[str, Any] = json.loads(line)
    return state


def test_every_key_of_a_state_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "json.md").read_text("utf-8")
    section = page.partition("## States")[2].partition("\n## ")[0]

    assert [key for key in state_of(broken()) if f"`{key}`" not in section] == []


def summary_of(talk: Conversation) -> dict[str, Any]:
    (line,) = formats_of(Summarised)["json"].render(summarised(talk))
    summary: dict[str, Any] = json.loads(line)
    return summary


def test_every_key_of_a_summary_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "json.md").read_text("utf-8")
    section = page.partition("## Summaries")[2].partition("\n## ")[0]
    summary = summary_of(broken())

    assert [key for key in (*summary, *summary["details"][0]) if f"`{key}`" not in section] == []


def test_a_summary_has_its_verdict_in_words_and_in_parts() -> None:
    summary = summary_of(broken())

    assert summary["verdict"].startswith("the back-end is wrong (VU-RPL-03 in #1): GET_FEATURES (#1) never got")
    assert (summary["outcome"], summary["rule"], summary["blame"], summary["frame"]) == (
        "broken",
        "VU-RPL-03",
        "back-end",
        1,
    )
    assert summary["details"][0]["end"]["unanswered"] == [{"channel": "main", "name": "GET_FEATURES", "frame": 1}]


def differences(first: Conversation, second: Conversation) -> list[dict[str, Any]]:
    return [json.loads(line) for line in formats_of(Differing)["json"].render(differing(first, second))]


def test_every_key_of_a_difference_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "json.md").read_text("utf-8")
    section = page.partition("## Differences")[2].partition("\n## ")[0]
    found = differences(broken(), Conversation())

    assert len(found) == 1
    assert [key for key in found[0] if f"`{key}`" not in section] == []


def test_a_difference_has_both_values_as_numbers_and_in_words() -> None:
    first, second = Conversation(), Conversation()
    first.ask("GET_FEATURES", features=VIRTIO_FEATURES.mask("VERSION_1", "EVENT_IDX"))
    second.ask("GET_FEATURES", features=VIRTIO_FEATURES.mask("VERSION_1"))

    (found,) = differences(first, second)
    assert (found["first"], found["first_text"]) == (1 << 32 | 1 << 29, "EVENT_IDX")
    assert (found["second"], found["second_text"]) == (1 << 32, "")


def test_every_key_of_times_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "json.md").read_text("utf-8")
    section = page.partition("## Times")[2].partition("\n## ")[0]
    talk = broken()
    talk.back_end("GET_FEATURES", features=0)
    talk.front_end("SET_LOG_BASE", mmap_size=4096, mmap_offset=0, descriptors=(memfd(size=4096),))
    talk.close("front-end")
    talk.open("a", "b", connection=2)
    found = [json.loads(line) for line in formats_of(Timed)["json"].render(timed(talk))]

    assert {line["kind"] for line in found} == {"phase", "latency", "migration"}
    assert [key for line in found for key in line if f"`{key}`" not in section] == []


def test_a_state_has_names_and_numbers() -> None:
    talk = Conversation()
    talk.ask("GET_FEATURES", features=VIRTIO_FEATURES.mask("VERSION_1"))

    assert state_of(talk)["features"] == {
        "offered": {"raw": 1 << 32, "names": ["VERSION_1"]},
        "acknowledged": None,
    }


def test_a_state_has_the_places_of_a_ring() -> None:
    talk = Conversation()
    region = {"guest_addr": 0, "size": 1 << 20, "user_addr": 0x7F00_0000_0000}
    talk.front_end("SET_MEM_TABLE", regions=[region], descriptors=(memfd(size=1 << 20),))
    talk.front_end("SET_VRING_ADDR", index=0, desc=0x7F00_0000_1000, avail=5, used=6)
    talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(1),))

    (ring,) = state_of(talk)["rings"]
    assert ring["addresses"]["desc"] == {"raw": 0x7F00_0000_1000, "place": {"region": 0, "offset": 0x1000}}
    assert ring["addresses"]["avail"] == {"raw": 5, "place": None}
    assert ring["kick"] == {"descriptor": "evt#1", "frame": 3, "given": 1}
    assert (ring["call"], ring["size"], ring["started"]) == (None, None, True)


def test_a_state_has_pending_requests() -> None:
    assert state_of(broken())["waiting"] == [{"channel": "main", "name": "GET_FEATURES", "frame": 1}]
