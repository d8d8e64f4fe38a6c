"""`vudissect lint`: what is wrong in captures, which rule it breaks, and who is to blame."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from vudissect.analysis import Analysis, Linted
from vudissect.capture.reader import read_capture
from vudissect.cli.annotate import annotate_copy, refuse_annotation
from vudissect.cli.choices import OneOf
from vudissect.cli.colour import color_option, output_style
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE, dialects
from vudissect.cli.completion import rules as rule_names
from vudissect.cli.devices import device_option
from vudissect.cli.errors import CANNOT, FINDINGS
from vudissect.cli.filters import filter_option, narrowed, report_no_match
from vudissect.cli.formats import chosen, format_options, write_junit
from vudissect.cli.known import known_dialect, known_rules
from vudissect.cli.output import ReaderLeftError, write
from vudissect.cli.progress import opened
from vudissect.cli.reading import ReadAs, captures_in, complaints, verdict
from vudissect.lint.finding import Finding, Severity
from vudissect.lint.rule import Rule
from vudissect.lint.rules import ALL_RULES
from vudissect.protocol.model import Device
from vudissect.render.findings import fails, listed
from vudissect.render.format import CaptureReport, Reported

if TYPE_CHECKING:
    from vudissect.filter import Filter, Narrowed


@click.command(
    "lint",
    cls=Command,
    examples=[
        ("What is wrong in a capture", "vudissect lint boot.pcapng"),
        ("What is wrong about ring 1", "vudissect lint --filter ring=1 boot.pcapng"),
        ("All captures of a folder in CI", "vudissect lint --strict --junit lint.xml captures/"),
        ("The findings as comments in Wireshark", "vudissect lint boot.pcapng --annotate found.pcapng"),
        ("Without a known warning", "vudissect lint --ignore VU-STA-01 boot.pcapng"),
    ],
)
@click.argument("files", type=FILE, nargs=-1, required=True, metavar="FILE|DIRECTORY...")
@format_options(Reported, json="One JSON object per finding.", junit="Also write a JUnit report.")
@click.option(
    "--annotate",
    type=FILE,
    metavar="OUT",
    help="Also write a copy of the capture, with the findings as comments that Wireshark shows.",
)
@click.option("--strict", is_flag=True, help="Treat warnings like errors.")
@click.option(
    "--severity",
    "least",
    type=OneOf([severity.value for severity in sorted(Severity, key=lambda severity: severity.rank)]),
    help="Report only findings of at least this severity. info lists everything, including what healthy sessions have.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="RULE",
    shell_complete=rule_names,
    help="Ignore this rule or family (repeatable).",
)
@filter_option("Report only findings about messages that match")
@device_option()
@click.option(
    "--dialect",
    "speaks",
    metavar="NAME",
    shell_complete=dialects,
    help="Decode the messages in this dialect (vudissect dialects).",
)
@color_option
def command(
    files: tuple[str, ...],
    form: str | None,
    as_json: bool,
    junit_file: str | None,
    annotate: str | None,
    strict: bool,
    least: str | None,
    ignore: tuple[str, ...],
    wanted: "Filter | None",
    device: Device | None,
    speaks: str | None,
) -> None:
    """Report what is wrong in captures: worst first, with the rule, who is to blame, and the frames.

    For a directory, all captures in it are checked. Equal findings are grouped.

    The exit status is 1 if there are errors (with --strict: or warnings) or a file is cut off, and 2 if a file
    cannot be read or has no messages.
    """
    output = chosen(Reported, form, as_json=as_json)
    named = captures_in(files)
    if annotate is not None:
        refuse_annotation(named, annotate)
    rules = _without(ignore)
    read_as = ReadAs(device, known_dialect(speaks) if speaks is not None else None)
    captures: list[CaptureReport] = []
    seen: list[Narrowed] = []
    status = 0

    def results() -> Iterator[CaptureReport]:
        nonlocal status
        for file in named:
            try:
                report, found = _report(file, read_as, rules, wanted, seen, least)
            except SystemExit as end:
                # One file that cannot be read does not keep the others from being judged.
                if end.code != CANNOT:
                    raise
                status = CANNOT
                continue
            captures.append(report)
            yield report
            status = max(status, found, FINDINGS if any(fails(each, strict=strict) for each in report.findings) else 0)

    result = Reported(results(), len(named) > 1, strict, output_style(), usual=least is not None)
    lines = output.render(result)
    with suppress(ReaderLeftError):  # which changes nothing about the verdict
        write(lines)
    for _ in lines:
        pass
    report_no_match(seen)
    if annotate is not None and captures:
        annotate_copy(named[0], annotate, listed(captures[0].findings, usual=least is not None))
    if junit_file is not None:
        write_junit(junit_file, result._replace(captures=captures))
    if status:
        raise SystemExit(status)


def _report(
    file: str,
    read_as: ReadAs,
    rules: Sequence[Rule],
    wanted: "Filter | None",
    seen: list["Narrowed"],
    least: str | None,
) -> tuple[CaptureReport, int]:
    """What is wrong in one capture, and the exit status that the capture itself deserves."""
    with opened(file) as stream:
        analysis = Analysis(read_capture(stream), device=read_as.device, dialect=read_as.dialect, rules=rules)
        linted = analysis.lint() if wanted is None else _narrowed_lint(analysis, wanted, seen)
    if least is not None:
        linted = linted._replace(findings=_at_least(linted.findings, Severity(least)))
    return CaptureReport(file, *linted, complaints(analysis.records)), verdict(file, analysis.records)


def _at_least(findings: list[Finding], severity: Severity) -> list[Finding]:
    return [finding for finding in findings if finding.severity.rank <= severity.rank]


def _narrowed_lint(analysis: Analysis, wanted: "Filter", seen: list["Narrowed"]) -> Linted:
    """The findings that a filter shows; its result is added to `seen` unless the capture has no messages."""
    shown = narrowed(wanted, analysis)
    findings = [finding for _, found in shown for finding in found]
    findings += shown.ending(analysis.session, analysis.finish())[0]
    if analysis.records.has_messages:
        seen.append(shown)
    rules = {finding.rule for finding in findings}
    withheld = {rule: times for rule, times in analysis.withheld.items() if rule in rules}
    return Linted(findings, withheld, shown.messages)


def _without(ignored: Sequence[str]) -> tuple[Rule, ...]:
    unwanted = {rule.id for text in ignored for rule in known_rules(text)}
    return tuple(rule for rule in ALL_RULES if rule.id not in unwanted)
