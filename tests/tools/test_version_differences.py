"""The list of differences between versions is up to date, reviewed, and free of what differs in each run."""

import re
from pathlib import Path

from tools.version_differences import REASONS, lines, parts, reason, situations

PAGE = Path(__file__).parents[2] / "docs" / "version-differences.md"


def test_the_page_is_up_to_date() -> None:
    assert "\n".join(lines()) == PAGE.read_text("utf-8"), "stale: run make docs"


def test_every_pair_of_versions_is_in_it() -> None:
    text = PAGE.read_text("utf-8")
    pairs = [f"## {first.stem} and {second.stem}\n" for _, first, second in situations()]

    assert len(pairs) >= 15
    assert [pair for pair in pairs if pair not in text] == []


def test_every_reason_is_needed() -> None:
    used = {
        reason(each)
        for _, first, second in situations()
        for part in parts(first, second)
        for each in part.compared.distinctions
    }

    assert used == set(REASONS.values())


def test_there_is_no_address_time_or_descriptor_in_it() -> None:
    assert re.findall(r"0x[0-9a-f]+|\d+ ?(?:us|ms|s)\b|(?:evt|mem|sock)#\d+|#\d+", PAGE.read_text("utf-8")) == []
