"""The colours of the style sheets: each text can be read on its ground, in light and in dark (WCAG 2, level AA)."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import vudissect

SHEETS = [(path.name, path.read_text("utf-8")) for path in sorted(Path(vudissect.__file__).parent.glob("report/*.css"))]
BASE = dict(SHEETS)["style.css"]
DEFINITION = re.compile(r"--([a-z-]+): (#[0-9a-f]{6});")
# A text without a ground of its own may be on any of these: lines that are selected, marked or beside others.
GROUNDS = ("ground", "raised", "mark", "info-ground", "pass-ground", "minor-ground")
TEXTS = ("text", "dim", "link")
LIGHT = dict(DEFINITION.findall(BASE.partition("@media")[0]))
DARK = LIGHT | dict(DEFINITION.findall(BASE.partition("@media")[2].partition("* {")[0]))
SCHEMES = pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])


def luminance(colour: str) -> float:
    shares = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def pairs() -> Iterator[tuple[str, str, str]]:
    """The rules of all style sheets with a colour, what it is, and what it is on."""
    for name, sheet in SHEETS:
        for selector, declarations in re.findall(r"([^{}]+)\{([^{}]*)\}", sheet):
            where = f"{name}: {selector.strip()}"
            # The text of a drawing is filled.
            drawn = "|fill" if "text" in selector or ".name" in selector else ""
            colour = re.search(rf"(?:^|[\s;])(?:color{drawn}): var\(--([\w-]+)\)", declarations)
            ground = re.search(r"background(?:-color)?: var\(--([\w-]+)\)", declarations)
            grounds = (ground[1],) if ground and ground[1] in LIGHT else GROUNDS
            if colour:
                yield from ((where, colour[1], each) for each in grounds)
            elif ground and ground[1] in LIGHT:
                yield from ((where, each, ground[1]) for each in TEXTS)


def test_there_are_texts_with_and_without_a_ground_of_their_own() -> None:
    found = {(colour, ground) for _, colour, ground in pairs()}

    assert {("fail", "fail-ground"), ("dim", "info-ground"), ("text", "mark")} <= found


@SCHEMES
def test_every_text_can_be_read(scheme: dict[str, str]) -> None:
    low = {pair: contrast(scheme[pair[1]], scheme[pair[2]]) for pair in pairs()}

    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}


@SCHEMES
@pytest.mark.parametrize("edge", ["edge", "mark-line", "link", "info", "pass"])
def test_edges_of_what_can_be_used_are_seen(scheme: dict[str, str], edge: str) -> None:
    """WCAG asks for 3 where a line is the only sign."""
    assert contrast(scheme[edge], scheme["ground"]) >= 3


def test_all_colours_have_names() -> None:
    for name, sheet in SHEETS:
        named = DEFINITION.sub("", sheet)

        assert re.findall(r"#[0-9a-f]{3,8}\b(?=[;,) ])", named) == [], name
