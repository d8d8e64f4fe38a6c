"""Findings for people and for programs."""

import json
from collections.abc import Iterable, Iterator, Sequence

from vudissect.lint.finding import Finding, Severity
from vudissect.render.style import Style
from vudissect.render.units import printable, unicode

# A named program that breaks comes before what is merely worth knowing.
_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.COMPAT: 2, Severity.INFO: 3}
# What makes the exit status 1; `--strict` adds warnings.
_FAILURES = frozenset({Severity.ERROR})
_STRICT_FAILURES = frozenset({Severity.ERROR, Severity.WARNING})


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Worst first, and among equals what came first: a first cause stands before its consequences."""
    return sorted(findings, key=lambda finding: (_ORDER[finding.severity], finding.frame))


def fails(finding: Finding, *, strict: bool) -> bool:
    """Whether a finding makes the exit status 1."""
    return finding.severity in (_STRICT_FAILURES if strict else _FAILURES)


def finding_text(finding: Finding, style: Style, *, frame: int | None = None) -> str:
    """One line; the frame is left out where the finding stands below its message."""
    place = "" if finding.frame in (0, frame) else f" #{finding.frame}"
    severity = f"{finding.severity.value} {finding.rule}"
    colour = style.bad if finding.severity is Severity.ERROR else style.dim
    because = ""
    if finding.frames:
        because = f" (see {', '.join(f'#{number}' for number in finding.frames)})"
    return f"{colour(severity)}{place} {finding.blame.value}: {printable(finding.message)}{because}"


def report(findings: Sequence[Finding], withheld: dict[str, int], messages: int, style: Style) -> Iterator[str]:
    """The findings of one capture, line by line, with what each rule refers to."""
    for finding in in_order(findings):
        yield finding_text(finding, style)
        yield style.dim(f"    {finding.source}")
    for rule, times in sorted(withheld.items()):
        yield f"{rule}: {times} more times"
    counts = {severity: sum(finding.severity is severity for finding in findings) for severity in Severity}
    words = [f"{count} {severity.value}{'s' if count != 1 else ''}" for severity, count in counts.items() if count]
    yield f"{messages} messages: {', '.join(words) or 'nothing found'}"


def finding_json(finding: Finding, file: str) -> str:
    """One JSON object; keys are stable."""
    return json.dumps(
        {
            "rule": finding.rule,
            "severity": finding.severity.value,
            "blame": finding.blame.value,
            "frame": finding.frame,
            "frames": list(finding.frames),
            "message": finding.message,
            "source": finding.source,
            "connection": finding.connection,
            "file": unicode(file),
        }
    )
