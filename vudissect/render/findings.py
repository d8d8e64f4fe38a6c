"""Findings for people and for programs."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from vudissect.lint.finding import Finding, Severity
from vudissect.lint.groups import Group, grouped
from vudissect.lint.rules import USUAL
from vudissect.render.style import Style
from vudissect.render.units import printable, unicode

_MOST_PLACES = 6
_SIGNS = {Severity.ERROR: "!", Severity.WARNING: "!", Severity.COMPAT: "~", Severity.INFO: "i"}

# Severities that make the exit status 1; `--strict` adds warnings.
_FAILURES = frozenset({Severity.ERROR})
_STRICT_FAILURES = frozenset({Severity.ERROR, Severity.WARNING})


def fails(finding: Finding, *, strict: bool) -> bool:
    """Whether a finding makes the exit status 1."""
    return finding.severity in (_STRICT_FAILURES if strict else _FAILURES)


def finding_text(finding: Finding, style: Style, *, frame: int | None = None) -> str:
    """One line, without the frame and the device if the finding is shown below its message."""
    place = "" if finding.frame in (0, frame) else f" #{finding.frame}"
    if finding.device_id and frame is None:
        place += f" {printable(finding.device_id)}"
    title = severity_text(finding.severity, finding.rule, style)
    because = ""
    if finding.frames:
        because = f" (see {', '.join(f'#{number}' for number in finding.frames)})"
    return f"{title}{place} {finding.blame.value}: {printable(finding.message)}{because}"


def severity_text(severity: Severity, rule: str, style: Style) -> str:
    """A rule and how severe it is."""
    return _colour(severity, style)(f"{severity.value} {rule}")


def signed_text(finding: Finding, style: Style, *, frame: int | None = None) -> str:
    """The same with a sign that shows the severity at a glance: `!` must, `~` may and `i` need not be acted upon."""
    sign = _colour(finding.severity, style)(_SIGNS[finding.severity])
    return f"{sign} {finding_text(finding, style, frame=frame)}"


def _colour(severity: Severity, style: Style) -> Callable[[str], str]:
    if severity is Severity.ERROR:
        return style.bad
    return style.warning if severity is Severity.WARNING else style.dim


def report(
    findings: Sequence[Finding],
    withheld: Mapping[str, int],
    messages: int,
    style: Style,
    *,
    known: int = 0,
    usual: bool = False,
) -> Iterator[str]:
    """The findings of one capture, line by line, with the sources of the rules.

    Infos that healthy sessions also have are only counted, unless `usual` is set; so are `known` ones, which are not
    in `findings`.
    """
    counted = [] if usual else [finding for finding in findings if is_usual(finding)]
    for group in grouped(listed(findings, usual=usual)):
        yield finding_text(group.first, style) + _again(group)
        yield style.dim(f"    {group.first.source}")
    if counted:
        rules = ", ".join(sorted({finding.rule for finding in counted}))
        number = f"{len(counted)} finding{'s' * (len(counted) > 1)}"
        yield style.dim(f"info: {number} that healthy sessions also have ({rules}); --severity info lists them")
    for rule, times in sorted(withheld.items()):
        yield f"{rule}: {times} more times"
    counts = {severity: sum(finding.severity is severity for finding in findings) for severity in Severity}
    words = [f"{count} {severity.value}{'s' if count != 1 else ''}" for severity, count in counts.items() if count]
    if known:
        words.append(f"{known} known")
    yield f"{messages} message{'s' * (messages != 1)}: {', '.join(words) or 'nothing found'}"


def listed(findings: Sequence[Finding], *, usual: bool) -> Sequence[Finding]:
    """The findings that a report lists: without those that healthy sessions have, too, unless `usual` is set."""
    return findings if usual else [finding for finding in findings if not is_usual(finding)]


def is_usual(finding: Finding) -> bool:
    """Whether healthy sessions have this finding, too."""
    return finding.severity is Severity.INFO and finding.rule in USUAL


def _again(group: Group) -> str:
    """Where else the same finding occurred."""
    if not group.again:
        return ""
    frames = dict.fromkeys(finding.frame for finding in group.again)
    listed = ", ".join(f"#{frame}" for frame in list(frames)[:_MOST_PLACES])
    more = f" and {len(frames) - _MOST_PLACES} more" if len(frames) > _MOST_PLACES else ""
    connections = f", on {group.connections} connections" if group.connections > 1 else ""
    devices = [printable(name) for name in dict.fromkeys(finding.device_id for finding in group.all) if name]
    if connections and devices:
        connections += f": {', '.join(devices[:_MOST_PLACES])}{' and others' * (len(devices) > _MOST_PLACES)}"
    return f" (again in {listed}{more}{connections})"


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
            "device_id": unicode(finding.device_id) or None,
            "file": unicode(file),
        }
    )
