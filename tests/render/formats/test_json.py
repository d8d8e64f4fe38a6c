"""JSON: one object for each event and for each finding, whatever the number of captures."""

import json

from tests.render.formats.talks import broken, linted, shown
from vudissect.render.format import Reported, Shown
from vudissect.render.formats import formats_of


def test_each_event_is_a_line() -> None:
    lines = [json.loads(line) for line in formats_of(Shown)["json"].render(shown(broken()))]

    assert [line["frame"] for line in lines] == [1, 2]


def test_each_finding_is_a_line_with_its_capture() -> None:
    lines = [json.loads(line) for line in formats_of(Reported)["json"].render(linted(broken(), broken()))]

    assert {(line["file"], line["rule"]) for line in lines} >= {("1.pcapng", "VU-VRG-03"), ("2.pcapng", "VU-VRG-03")}
