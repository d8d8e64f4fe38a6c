"""Lints a capture; a failure has the findings and the transcript around them."""

from collections.abc import Iterable, Iterator, Sequence

from vudissect.analysis import Analysis
from vudissect.capture.errors import CaptureError
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.capture.record import RecordKind
from vudissect.lint.finding import Finding
from vudissect.lint.rule import Rule
from vudissect.lint.rules import ALL_RULES, rules_named
from vudissect.render.findings import fails, report
from vudissect.render.style import Style
from vudissect.render.transcript import Transcript

# Messages of transcript on each side of a finding, and the number of findings that are shown with it.
_CONTEXT = 3
_MAX_SHOWN = 20


def complaint(capture: str, ignore: Iterable[str], *, strict: bool) -> str:
    """Why a capture does not conform; "" if it does. `ValueError` for an unknown rule."""
    rules = _without(ignore)
    try:
        with open_capture(capture) as stream:
            records = tuple(read_capture(stream))
    except CaptureError as error:
        return f"{capture}: {error}"
    except OSError as error:
        return f"{capture}: {error.strerror or error}"
    if not any(record.kind is RecordKind.MESSAGE for record in records):
        return f"{capture}: no vhost-user messages in this capture"
    analysis = Analysis(records, rules=rules)
    texts, findings = _transcript(analysis)
    failing = [finding for finding in findings if fails(finding, strict=strict)]
    if not failing:
        return ""
    broken = sorted({finding.rule for finding in failing})
    lines = [f"{capture} does not conform: {', '.join(broken)}"]
    lines += report(findings, analysis.withheld, len(records), Style(False))
    frames = list(dict.fromkeys(finding.frame for finding in failing))[:_MAX_SHOWN]
    return "\n".join([*lines, *_around(frames, texts)])


def _without(ignore: Iterable[str]) -> tuple[Rule, ...]:
    if isinstance(ignore, str):
        raise ValueError(f"ignore={ignore!r}: give a tuple of rules")
    ignored: set[str] = set()
    for text in ignore:
        found = rules_named(text)
        if not found:
            raise ValueError(f"unknown rule {text} (vudissect rules lists them)")
        ignored.update(rule.id for rule in found)
    return tuple(rule for rule in ALL_RULES if rule.id not in ignored)


def _transcript(analysis: Analysis) -> tuple[dict[int, str], list[Finding]]:
    """The lines of each frame, with what was found about it below, and all findings."""
    transcript = Transcript(Style(False))
    texts: dict[int, str] = {}
    findings: list[Finding] = []
    for event, found in analysis:
        texts[event.record.frame] = transcript.text(event, found)
        findings += found
    if left := analysis.finish():
        texts[max(texts)] += transcript.findings(left)
    return texts, findings + left


def _around(frames: Sequence[int], texts: dict[int, str]) -> Iterator[str]:
    """The transcript around the frames; parts that are not adjacent are separated by a line `@@`, as in a diff."""
    numbers = list(texts)
    places = [numbers.index(frame) if frame in texts else len(numbers) - 1 for frame in frames]
    shown = range(0)
    for place in sorted(places):
        start = max(0, place - _CONTEXT, shown.stop)
        if start > shown.stop or not shown:
            yield "@@"
        shown = range(start, max(shown.stop, min(len(numbers), place + _CONTEXT + 1)))
        for number in numbers[shown.start : shown.stop]:
            yield from texts[number].splitlines()
