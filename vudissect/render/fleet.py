"""The findings of many captures by rule and pair, for people and for programs."""

import json
from collections.abc import Iterator

from vudissect.protocol.table import UPSTREAM
from vudissect.render.findings import severity_text
from vudissect.render.style import Style
from vudissect.render.units import printable, unicode
from vudissect.render.wrap import wrapped
from vudissect.summary.fleet import Counts, PairCount, RuleCount
from vudissect.summary.peers import Pair

_UNKNOWN = "unknown"
_INDENT = 8


def fleet_lines(counts: Counts, style: Style) -> Iterator[str]:
    """A paragraph for each rule: how often, which pairs, and an example; then the totals."""
    for rule in counts.rules:
        yield wrapped(_rule(rule, counts, style), style.width, _INDENT)
        for pair in rule.pairs:
            numbers = f"{pair.findings} in {_captures(pair.captures)}"
            yield wrapped(f"    {numbers}: {_pair(pair.pair)}", style.width, _INDENT)
        yield style.dim(wrapped(f"    {_example(rule.pairs[0])}", style.width, _INDENT))
    yield _totals(counts)


def _rule(rule: RuleCount, counts: Counts, style: Style) -> str:
    title = severity_text(rule.severity, rule.rule, style)
    numbers = f"{rule.findings} finding{'s' * (rule.findings != 1)}"
    again = f" and {rule.repetitions} repetitions" if rule.repetitions else ""
    return f"{title} {rule.blame.value}: {numbers}{again} in {rule.captures} of {_captures(counts.captures)}"


def _pair(pair: Pair) -> str:
    sides = (
        printable(name or _UNKNOWN) + (f" (protocol of {since} or newer)" if since else "")
        for name, since in ((pair.front_end, pair.front_end_since), (pair.back_end, pair.back_end_since))
    )
    dialect = f", dialect {pair.dialect}" if pair.dialect not in ("", UPSTREAM.key) else ""
    return f"{' and '.join(sides)}, {pair.device or f'device {_UNKNOWN}'}{dialect}"


def _example(pair: PairCount) -> str:
    file, frame, message = pair.first
    return f"{printable(file)}{f' #{frame}' if frame else ''}: {printable(message)}"


def _totals(counts: Counts) -> str:
    totals = [f"{_captures(counts.captures)}, {counts.messages} message{'s' * (counts.messages != 1)}"]
    findings = sum(rule.findings for rule in counts.rules)
    totals.append(f"{findings} finding{'s' * (findings != 1)}" if findings else "nothing found")
    if counts.known:
        totals.append(f"{counts.known} known finding{'s' * (counts.known != 1)} not counted")
    if counts.incomplete:
        totals.append(f"{_captures(counts.incomplete)} not read to the end")
    return "; ".join(totals)


def _captures(number: int) -> str:
    return f"{number} capture{'s' * (number != 1)}"


def fleet_json(counts: Counts) -> Iterator[str]:
    """An object for each rule, side and pair; keys are stable."""
    for rule in counts.rules:
        for pair in rule.pairs:
            file, frame, message = pair.first
            yield json.dumps(
                {
                    "rule": rule.rule,
                    "severity": rule.severity.value,
                    "blame": rule.blame.value,
                    **{key: unicode(value) or None for key, value in pair.pair._asdict().items()},
                    "findings": pair.findings,
                    "captures": pair.captures,
                    "file": unicode(file),
                    "frame": frame,
                    "message": message,
                }
            )
