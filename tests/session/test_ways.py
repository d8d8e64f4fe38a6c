"""`Session.events` has a shorter way for messages that change little: it leads where `Session.feed` leads."""

from pathlib import Path

import pytest

from tests.peers.captures import FOLDER
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Record
from vudissect.cli import rules
from vudissect.lint.rule import Rule
from vudissect.lint.rules import ALL_RULES
from vudissect.session.session import Session, foresee


def agrees(records: list[Record]) -> bool:
    known = foresee(records)
    session = Session(known=known)
    return list(Session(known=known).events(records)) == [session.feed(record) for record in records]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("**/*.pcapng")), ids=lambda path: path.stem)
def test_a_recorded_session_has_the_same_events(path: Path) -> None:
    assert agrees(list(read_capture(open_capture(str(path)))))


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.id)
def test_a_conversation_about_a_rule_has_the_same_events(rule: Rule) -> None:
    page = rules.rule_page(rule)

    assert agrees([event.record for event, _ in page.broken.events])
    assert agrees([event.record for event, _ in page.near.events])
