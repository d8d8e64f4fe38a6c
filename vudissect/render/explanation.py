"""Lines of logs, explained: which program wrote them, what they mean, which rules they point to."""

from collections.abc import Iterator, Mapping

from vudissect.lint.dictionary import Recognised
from vudissect.lint.rule import Rule
from vudissect.render.style import Style
from vudissect.render.units import printable


def explanation(found: Recognised, rules: Mapping[str, Rule], style: Style, *, numbered: bool) -> Iterator[str]:
    """One known line: itself (with its number where it is one of many), program and meaning, messages, rules."""
    place = f"{found.number}: " if numbered else ""
    yield f"{place}{style.name(printable(found.text))}"
    yield f"    {found.line.program}: {found.line.meaning}"
    for role, number, row in found.messages:
        yield f"    {role}: {number} is {row.name if row is not None else 'no message of the published protocol'}"
    yield from (f"    {rule}: {rules[rule].statement}" for rule in found.line.rules)
