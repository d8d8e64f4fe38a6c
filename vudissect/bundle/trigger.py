"""When a bundle is made: a disconnect, a finding, silence while a request waits for its answer; the end of a command
that vuproxy has started, or a line of its log."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from vudissect.capture.record import RecordKind
from vudissect.lint.finding import Finding, Severity
from vudissect.session.event import Event
from vudissect.session.session import Session

_SECOND: Final = 1_000_000_000
_FORMS: Final = "disconnect, finding:SEVERITY, finding:RULE, silence:SECONDS, signal, exit, exit:STATUS or log:PATTERN"
_LARGEST_STATUS: Final = 255


class TriggerError(ValueError):
    """A trigger that does not exist; the text names it and those that do."""


@dataclass(slots=True)
class Triggers:
    """What to watch for; `from_words` makes it. Times are in nanoseconds.

    `fails`: the command ends with any status but 0. `lines` are patterns for lines of its log.
    """

    disconnect: bool = False
    severity: Severity | None = None
    rules: set[str] = field(default_factory=set)
    silence: int = 0
    fails: bool = False
    statuses: set[int] = field(default_factory=set)
    lines: list[re.Pattern[str]] = field(default_factory=list)
    _latest: dict[int, int] = field(default_factory=dict)
    _reported: dict[int, int] = field(default_factory=dict)

    @property
    def needs_command(self) -> bool:
        """Whether there has to be a command that vuproxy has started."""
        return self.fails or bool(self.statuses or self.lines)

    def at_line(self, line: str) -> Iterator[str]:
        """Why a bundle must be made after this line of the log."""
        if any(pattern.search(line) for pattern in self.lines):
            yield f"the log has: {line}"

    def after(self, event: Event, findings: Sequence[Finding]) -> Iterator[str]:
        """Why a bundle must be made after this event; usually there is no reason."""
        record = event.record
        status = record.details.get("status")
        if record.kind is RecordKind.NOTE and isinstance(status, int):
            if status in self.statuses or (self.fails and status):
                yield str(record.details.get("text", ""))
            return
        self._latest[record.connection] = record.received
        if record.kind is RecordKind.CONNECTION_CLOSED:
            self._latest.pop(record.connection)
            self._reported.pop(record.connection, None)
            if self.disconnect:
                by, how = (record.details.get(key, "?") for key in ("by", "how"))
                yield f"connection {record.connection} was closed by the {by} ({how})"
        for finding in findings:
            if self._is_wanted(finding):
                yield f"{finding.rule} in connection {finding.connection}: {finding.message}"

    def at(self, session: Session, now: int) -> Iterator[str]:
        """Why a bundle must be made at this time."""
        if not self.silence:
            return
        for number in session.states:
            owed = session.pairing(number).owed()
            if not owed:
                continue
            oldest = min(owed, key=lambda request: request.forwarded)
            quiet = now - max(oldest.forwarded, self._latest.get(number, 0))
            if quiet >= self.silence and self._reported.get(number) != oldest.frame:
                self._reported[number] = oldest.frame
                waits = f"which waits for the answer to {oldest.name}"
                yield f"nothing for {quiet // _SECOND} s in connection {number}, {waits}"

    def _is_wanted(self, finding: Finding) -> bool:
        bad_enough = self.severity is not None and finding.severity.rank <= self.severity.rank
        return bad_enough or finding.rule in self.rules


def from_words(words: Sequence[str]) -> Triggers:
    """From texts such as `finding:error`; raises `TriggerError`."""
    triggers = Triggers()
    for word in words:
        kind, _, what = word.partition(":")
        if word == "disconnect":
            triggers.disconnect = True
        elif word == "signal":
            continue  # it always is
        elif word == "exit":
            triggers.fails = True
        elif kind == "exit":
            triggers.statuses.add(_status(word, what))
        elif kind == "log":
            triggers.lines.append(_pattern(word, what))
        elif kind == "silence":
            triggers.silence = _seconds(word, what)
        elif kind == "finding" and what in {str(severity) for severity in Severity}:
            wanted = Severity(what)
            known = triggers.severity
            triggers.severity = wanted if known is None else max(known, wanted, key=lambda each: each.rank)
        elif kind == "finding":
            triggers.rules.add(_rule(word, what))
        else:
            raise TriggerError(f"{word!r} is not a trigger: write {_FORMS}")
    return triggers


def _seconds(word: str, text: str) -> int:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 1e9:
        raise TriggerError(f"{word!r}: write a number of seconds, as in silence:5")
    return int(seconds * _SECOND)


def _status(word: str, text: str) -> int:
    if not text.isdecimal() or int(text) > _LARGEST_STATUS:
        raise TriggerError(f"{word!r}: write an exit status from 0 to {_LARGEST_STATUS}, as in exit:1")
    return int(text)


def _pattern(word: str, text: str) -> re.Pattern[str]:
    if not text:
        raise TriggerError(f"{word!r}: write a regular expression, as in 'log:vhost.*(fail|error)'")
    try:
        return re.compile(text)
    except re.error as error:
        raise TriggerError(f"{word!r}: not a regular expression: {error}") from None


def _rule(word: str, text: str) -> str:
    # Slow to import.
    from vudissect.lint.rules import ALL_RULES

    for rule in ALL_RULES:
        if text in (rule.id, rule.name):
            return rule.id
    severities = ", ".join(map(str, Severity))
    raise TriggerError(f"{word!r}: there is no such rule (see vudissect rules), and severities are {severities}")
