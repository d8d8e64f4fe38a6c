"""What a rule remembers: of one connection, and from one to the next."""

from dataclasses import dataclass

from tests.conversation import Conversation
from vudissect.lint.at import At
from vudissect.lint.finding import Finding, Severity
from vudissect.lint.linter import Linter
from vudissect.lint.rule import Findings, RuleBook, requests
from vudissect.protocol.purpose import Purpose
from vudissect.session.session import Session

BOOK = RuleBook()
TRIGGER = requests(Purpose.SET_RING_SIZE)


@dataclass(slots=True)
class Count:
    value: int = 0


@BOOK.rule("VU-NEW-01", Severity.INFO, "sizes are counted", "a test", TRIGGER, remembers=Count)
def counted(at: At[Count]) -> Findings:
    at.memory.value += 1
    yield at.finding(str(at.memory.value))


@BOOK.rule("VU-NEW-02", Severity.INFO, "sizes are counted twice", "a test", TRIGGER, remembers=Count)
def counted_twice(at: At[Count]) -> Findings:
    at.memory.value += 2
    yield at.finding(str(at.memory.value))
    if at.memory.value == 4:
        at.restart()


@BOOK.rule("VU-NEW-03", Severity.INFO, "sizes are counted over all connections", "a test", TRIGGER)
def counted_always(at: At) -> Findings:
    at.lasting(Count).value += 1
    yield at.finding(str(at.lasting(Count).value))


# A rule that uses a memory must say so: the type checker refuses this one.
@BOOK.rule("VU-NEW-04", Severity.INFO, "nothing", "a test", requests(Purpose.RESET))  # type: ignore[arg-type]
def forgetful(at: At[Count]) -> Findings:
    yield at.finding(str(at.memory.value))


def counts(talk: Conversation, rule: str) -> list[str]:
    session = Session()
    linter = Linter(session, (each for each in BOOK if each.id == rule))
    findings: list[Finding] = [found for event in session.events(talk.records) for found in linter.check(event)]
    return [finding.message for finding in findings]


def sizes(*connections: int) -> Conversation:
    """The size of a ring, on each of these connections in turn."""
    talk = Conversation()
    for connection in connections:
        talk.front_end("SET_VRING_NUM", index=0, num=256, connection=connection)
    return talk


def test_each_connection_has_a_memory_of_its_own() -> None:
    assert counts(sizes(1, 1, 2, 1), "VU-NEW-01") == ["1", "2", "1", "3"]


def test_a_connection_that_is_opened_again_has_another() -> None:
    talk = sizes(1, 1)
    talk.close("front-end")
    talk.front_end("SET_VRING_NUM", index=0, num=256)

    assert counts(talk, "VU-NEW-01") == ["1", "2", "1"]


def test_a_rule_can_begin_again() -> None:
    assert counts(sizes(1, 1, 1), "VU-NEW-02") == ["2", "4", "2"]


def test_what_is_to_last_is_there_on_every_connection() -> None:
    assert counts(sizes(1, 2, 1), "VU-NEW-03") == ["1", "2", "3"]


def test_a_rule_remembers_nothing_for_others() -> None:
    session = Session()
    linter = Linter(session, [rule for rule in BOOK if rule.id in ("VU-NEW-01", "VU-NEW-02")])
    findings = [finding for event in session.events(sizes(1, 1).records) for finding in linter.check(event)]

    assert [(finding.rule[-1], finding.message) for finding in findings] == [
        ("1", "1"),
        ("2", "2"),
        ("1", "2"),
        ("2", "4"),
    ]
