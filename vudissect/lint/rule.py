"""How a rule is written.

    RULES = RuleBook()

    @RULES.rule("VU-VRG-03", Severity.ERROR, "a ring is enabled with 0 or 1", SPEC, requests(Purpose.ENABLE_RING))
    def enable_value(at: At) -> Findings:
        if at.fields.get("num", 0) > 1:
            yield at.finding(f"ring {at.fields['index']} is enabled with {at.fields['num']}, only 0 and 1 are defined")

A malformed message has no fields. A rule compares `at.before` and `at.after`, the states of the connection around the
message. What it needs from earlier messages, and the state does not have, it remembers per connection:

    @dataclass(slots=True)
    class _Swaps:
        frames: list[int] = field(default_factory=list)

    @RULES.rule("VU-...", ..., requests(Purpose.SET_CALL), remembers=_Swaps)
    def call_swapped(at: At[_Swaps]) -> Findings:
        if at.event.replaced and len(at.memory.frames) < 10:
            at.memory.frames.append(at.frame)

A peer may send anything, forever, so a memory must have a bound. `at.lasting(_Swaps)` lasts from one connection to the
next. `vudissect.lint.page` describes the page that every rule has.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, overload

from vudissect.capture.record import RecordKind
from vudissect.lint.at import At
from vudissect.lint.finding import Finding, Severity
from vudissect.lint.words import SECOND
from vudissect.protocol.model import Row
from vudissect.protocol.purpose import Purpose

SPEC = "QEMU docs/interop/vhost-user.rst"

# An answer that takes longer (ns) is unusual: DPDK takes 0.9 s to populate memory, no other program that long.
SLOW = SECOND


class Trigger(NamedTuple):
    """When a rule is called: for the messages that `matches` selects by row and direction, or for events of `kinds`.

    `irregular`: only for unusual messages: malformed, with unusual flags, with marks; answers without a request, late
    ones, and those that report a failure. A message that was not forwarded is seen by these rules only.
    `carrying`: only for messages that carry descriptors.
    `asking`: only for messages that ask for an acknowledgement (NEED_REPLY).
    `once`: only for the first message of each row and direction on a connection.
    `at_end`: once at the end of the capture, for each connection that is still open.
    """

    matches: Callable[[Row, bool], bool] | None = None
    kinds: frozenset[RecordKind] = frozenset()
    irregular: bool = False
    carrying: bool = False
    asking: bool = False
    once: bool = False
    at_end: bool = False

    def __or__(self, other: "Trigger") -> "Trigger":
        """Whenever either trigger applies."""
        picks = [trigger.matches for trigger in (self, other) if trigger.matches is not None]
        return Trigger(
            (lambda row, reply: any(matches(row, reply) for matches in picks)) if picks else None,
            self.kinds | other.kinds,
            self.irregular or other.irregular,
            self.carrying or other.carrying,
            self.asking and other.asking,
            self.once and other.once,
            self.at_end or other.at_end,
        )


def requests(*purposes: Purpose) -> Trigger:
    """For requests with one of these purposes; without purposes for all requests."""
    return Trigger(lambda row, reply: not reply and (not purposes or (row.purpose in purposes)))


def replies(*purposes: Purpose) -> Trigger:
    """For answers to requests with one of these purposes; without purposes for all answers."""
    return Trigger(lambda row, reply: reply and (not purposes or (row.purpose in purposes)))


def first_requests(*purposes: Purpose) -> Trigger:
    """For the first request of each kind on a connection, of those with one of these purposes."""
    return requests(*purposes)._replace(once=True)


def messages(where: Callable[[Row, bool], bool]) -> Trigger:
    """For the messages whose row and direction (is it a reply?) satisfy a condition."""
    return Trigger(where)


def irregular() -> Trigger:
    """For unusual messages (see `Trigger`), of any row."""
    return Trigger(irregular=True)


def carrying() -> Trigger:
    """For messages with descriptors, of any row."""
    return Trigger(carrying=True)


def events(*kinds: RecordKind) -> Trigger:
    """For events of the proxy: opened, closed, gaps."""
    return Trigger(kinds=frozenset(kinds))


def ending() -> Trigger:
    """When a connection is closed, and at the end of the capture for those that are open."""
    return Trigger(kinds=frozenset({RecordKind.CONNECTION_CLOSED}), at_end=True)


Findings = Iterator[Finding]
NOTHING: Findings = iter(())
"""For a rule about messages of which there may be millions: to return it is quicker than to begin and yield nothing.
"""
Memory = TypeVar("Memory")
Check = Callable[[At[Memory]], Findings]


@dataclass(frozen=True)
class Rule:
    """A rule: its id and name, its severity, what must hold, the source of that, and its check.

    The check is a function, called when the trigger applies; its name is the name of the rule. `remembers` creates its
    memory of a connection. `usual`: healthy sessions also have its infos. `patient`: it never asks what waits for an
    answer, so it can be asked when the session is further on, which is faster where there may be millions of messages.
    """

    id: str
    name: str
    severity: Severity
    statement: str
    source: str
    trigger: Trigger
    check: Check[Any]
    remembers: Callable[[], Any]
    usual: bool = False
    patient: bool = False


class RuleBook:
    """The rules of one family."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    @overload
    def rule(
        self,
        number: str,
        severity: Severity,
        statement: str,
        source: str,
        trigger: Trigger,
        *,
        usual: bool = False,
        patient: bool = False,
    ) -> Callable[[Check[object]], Check[object]]: ...

    @overload
    def rule(
        self,
        number: str,
        severity: Severity,
        statement: str,
        source: str,
        trigger: Trigger,
        *,
        remembers: type[Memory],
        usual: bool = False,
        patient: bool = False,
    ) -> Callable[[Check[Memory]], Check[Memory]]: ...

    def rule(
        self,
        number: str,
        severity: Severity,
        statement: str,
        source: str,
        trigger: Trigger,
        *,
        remembers: type[Any] = object,
        usual: bool = False,
        patient: bool = False,
    ) -> Callable[[Check[Any]], Check[Any]]:
        """Register the decorated function as the check of a rule; `statement` is what must hold."""

        def enter(check: Check[Any]) -> Check[Any]:
            name = check.__name__.replace("_", "-")
            rule = Rule(number, name, severity, statement, source, trigger, check, remembers, usual, patient)
            self._rules.append(rule)
            return check

        return enter
