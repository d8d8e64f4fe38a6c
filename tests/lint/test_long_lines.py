"""Lines of logs of any length: what takes more than linear time does not end before the test does."""

import pytest

from vudissect.lint.dictionary.entry import Form, LogLine
from vudissect.lint.dictionary.errnos import errnos_in
from vudissect.lint.dictionary.facts import facts_of
from vudissect.lint.dictionary.lines import LOG_LINES
from vudissect.lint.dictionary.recognise import recognise
from vudissect.protocol.model import Channel

LENGTH = 2_000_000


def search(form: Form, text: str) -> None:
    form.search(text, text.lower())


@pytest.mark.timeout(60)
@pytest.mark.parametrize("entry", LOG_LINES, ids=lambda entry: entry.texts[0])
def test_a_line_of_the_same_over_and_over(entry: LogLine) -> None:
    for form in entry.forms:
        for part in form.literals:
            search(form, part * (LENGTH // 10 // len(part)))
            search(form, (part + " 1") * (LENGTH // 10 // len(part)))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "part", ["a_", "SET_", "errno 1", "errno ", "/sock", "req 1 ", "VhostUser", "a b ", "\x1b[", '\\"', "{", "qemu-kvm"]
)
def test_whatever_a_line_repeats(part: str) -> None:
    text = part * (LENGTH // len(part))

    list(recognise([text]))
    facts_of(text, None, Channel.MAIN)
    errnos_in(text[:100_000])


def test_a_number_of_thousands_of_digits_is_not_a_message() -> None:
    (found,) = recognise([f"vhost message (req: {'9' * 5000}) was not handled"])

    assert found.entries == ()


def test_what_comes_late_in_a_line_is_found_up_to_a_bound() -> None:
    near, far = recognise([f"{'x' * length} qemu: Failed to set msg fds." for length in (60_000, 70_000)])

    assert near.entries
    assert not far.entries
