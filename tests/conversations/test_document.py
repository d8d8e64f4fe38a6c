"""The documentation of the language: its examples are conversations."""

import re
from pathlib import Path

from vudissect.conversation.text import read_conversation

PAGE = (Path(__file__).parents[2] / "docs" / "conversation.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_is_a_conversation() -> None:
    (example,) = (text for _, text in BLOCKS if text.startswith("# A back-end"))

    assert len(read_conversation(example).records) == 10


def test_the_python_example_runs() -> None:
    (example,) = (text for language, text in BLOCKS if language == "python")
    names: dict[str, object] = {}

    exec(example, names)

    assert str(names["events"]).count("Event(") == 6


def test_every_kind_of_line_in_the_table_is_understood() -> None:
    lines = [
        line
        for row in re.findall(r"^\| (`(?:[FB]>|c2|---|\.\.\.|device|dialect|byte).*?) \|", PAGE, re.MULTILINE)
        for line in re.findall(r"`(.*?)`", row)
    ]
    lines = [line.replace("NAME -> ...", "bytes 00").replace("NAME ...", "bytes 00") for line in lines]

    assert len(lines) == 27
    for line in lines:
        read_conversation(line)
