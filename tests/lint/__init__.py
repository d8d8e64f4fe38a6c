"""Conversations, linted."""

from typing import Any

from tests.conversation import Conversation
from vudissect.lint.finding import Finding
from vudissect.lint.linter import Linter
from vudissect.lint.rules import ALL_RULES
from vudissect.session.session import Session


def found(talk: Conversation, *rules: str, **options: Any) -> list[Finding]:
    """What the rules of these ids (all rules, if none is given) find in a conversation; options as of `Session`."""
    assert set(rules) <= {rule.id for rule in ALL_RULES}
    session = Session(protocol=talk.protocol, **options)
    linter = Linter(session, (rule for rule in ALL_RULES if not rules or rule.id in rules))
    findings = [finding for event in session.events(talk.records) for finding in linter.check(event)]
    return findings + linter.finish()


def only(talk: Conversation, *rules: str, **options: Any) -> Finding:
    """The one thing that these rules find in a conversation; options as of `found`."""
    (finding,) = found(talk, *rules, **options)
    return finding
