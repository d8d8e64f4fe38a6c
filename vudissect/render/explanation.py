"""Explained log lines: who wrote them, what they mean, who is to blame, and what a capture shows about them."""

from collections.abc import Iterator, Mapping

from vudissect.lint.dictionary.entry import LogLine
from vudissect.lint.dictionary.facts import Facts, Named
from vudissect.lint.dictionary.recognise import Recognised
from vudissect.lint.dictionary.ties import Tie
from vudissect.lint.rule import Rule
from vudissect.render.findings import finding_text
from vudissect.render.style import Style
from vudissect.render.units import printable

# For a line that contains the options of a program.
_MOST_CHARACTERS = 1000


def head(found: Recognised, style: Style, *, numbered: bool) -> str:
    """The line itself, with its number if it is one of several."""
    text = found.text if len(found.text) <= _MOST_CHARACTERS else f"{found.text[:_MOST_CHARACTERS]}…"
    return f"{f'{found.number}: ' if numbered else ''}{style.name(printable(text))}"


def explanation(found: Recognised, rules: Mapping[str, Rule]) -> Iterator[str]:
    """What a line means; for an unknown one, what can be recognised in it."""
    if not found.entries:
        program = f"{found.program.title}: " if found.program is not None else ""
        yield f"    {program}this line is not known{'; it names' if any(found.facts) else ''}"
    for place, entry in enumerate(found.entries):
        yield f"    {entry.program.title}: {entry.meaning}"
        if place == 0:
            yield f"    likely to blame: {entry.suspect.value}"
    yield from (f"    look at: {look}" for look in dict.fromkeys(entry.look for entry in found.entries))
    yield from _facts(found.facts)
    for rule in dict.fromkeys(rule for entry in found.entries for rule in entry.rules):
        yield f"    {rule}: {rules[rule].statement}"
    yield from (f"    source: {source}" for source in dict.fromkeys(map(_source, found.entries)))


def again(first: int) -> str:
    """For a line with the same meaning as an earlier one."""
    return f"    as line {first}"


def tied(tie: Tie, file: str, style: Style) -> Iterator[str]:
    """What a capture shows about a line."""
    yield f"    in {printable(file)}:"
    yield from (f"        {printable(sentence)}" for sentence in tie.sentences)
    yield from (f"        {finding_text(finding, style)}" for finding in tie.findings)


def _source(entry: LogLine) -> str:
    return entry.source


def _facts(facts: Facts) -> Iterator[str]:
    yield from (f"    {_message(named)}" for named in facts.messages)
    yield from (f"    {errno.name} ({errno.number}, {errno.text}): {errno.meaning}" for errno in facts.errnos)
    if facts.rings:
        yield f"    ring: {', '.join(map(str, facts.rings))}"
    if facts.sockets:
        yield f"    socket: {printable(', '.join(facts.sockets))}"


def _message(named: Named) -> str:
    row = named.row
    if not row.known:
        called = f"; the line calls it {named.called}" if named.called else ""
        role = named.role or "message"
        return f"{role}: {named.number} is not in this table: it is newer, or from a vendor{called}"
    if not named.role:
        return f"message: {row.name} is number {named.number}: {row.summary}"
    return f"{named.role}: {named.number} is {row.name}: {row.summary}"
