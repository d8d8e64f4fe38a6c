"""Lines that are wrapped at the width of a terminal."""

import re

import pytest

from vudissect.render.style import Style
from vudissect.render.wrap import wrapped


def test_a_line_is_broken_between_words_with_a_hanging_indent() -> None:
    line = "     1    0.000000  F>B SET_VRING_ADDR ring 0 desc region0+0x2b68000 used region0+0x2b68940"

    assert wrapped(line, 80, 26).split("\n") == [
        "     1    0.000000  F>B SET_VRING_ADDR ring 0 desc region0+0x2b68000",
        "                          used region0+0x2b68940",
    ]


def test_what_is_in_brackets_stays_together() -> None:
    line = "GET_FEATURES -> EDID NOTIFY_ON_EMPTY LOG_ALL INDIRECT_DESC [#2 +99.3us]"

    assert wrapped(line, 64, 26).split("\n")[1] == " " * 26 + "[#2 +99.3us]"


def test_in_a_pipe_nothing_is_broken() -> None:
    assert wrapped("word " * 100, 0, 4) == "word " * 100


def test_a_word_that_fits_in_no_line_is_broken_at_a_backslash() -> None:
    assert wrapped("name " + "x" * 100, 64, 26).split("\n") == [
        "name",
        " " * 26 + "x" * 37 + "\\",
        " " * 26 + "x" * 37 + "\\",
        " " * 26 + "x" * 26,
    ]


@pytest.mark.parametrize("width", [20, 40, 80])
def test_colour_and_wide_characters_count_as_they_are_shown(width: int) -> None:
    text = Style(True).bad("wörter 漢字 und " * 20)

    lines = re.sub(r"\x1b\[[\d;]*m", "", wrapped(text, width, 4)).split("\n")

    assert max(sum(1 + (character in "漢字") for character in line) for line in lines) <= width
