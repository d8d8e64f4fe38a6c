"""Lines of logs of any length: what takes more than linear time does not end before the test does."""

import re

import pytest

from vudissect.lint.dictionary import LOG_LINES, LogLine, recognise

LENGTH = 2_000_000


def starts(pattern: str) -> list[str]:
    """What matches the beginning of a pattern, up to each place where it repeats something."""
    plain = re.sub(r"\(\?P?[:<](\w*>)?|\)|\?$", "", pattern.split("|")[0]).replace("\\d", "1").replace("\\w", "a")
    plain = re.sub(r"\{\d*,\d*\}|[+*?]|\\", "", plain)
    return [plain, plain[: len(plain) // 2]]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("entry", LOG_LINES, ids=lambda entry: entry.pattern)
def test_a_line_of_the_same_over_and_over(entry: LogLine) -> None:
    for part in starts(entry.pattern):
        list(recognise([part * (LENGTH // len(part))]))


def test_a_number_of_thousands_of_digits_is_not_a_message() -> None:
    assert list(recognise([f"vhost message (req: {'9' * 5000}) was not handled"])) == []
