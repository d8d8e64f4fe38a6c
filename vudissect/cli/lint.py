"""`vudissect lint`: what is wrong in captures, which rule it breaks, and who is to blame."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import click

from vudissect.cli.annotate import annotate_copy, refuse_annotation
from vudissect.cli.baseline import Baseline, known_findings, write_known
from vudissect.cli.choices import OneOf
from vudissect.cli.colour import color_option, output_style
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE, dialects
from vudissect.cli.completion import rules as rule_names
from vudissect.cli.course import Course
from vudissect.cli.devices import device_option
from vudissect.cli.errors import CANNOT, FINDINGS, fail
from vudissect.cli.filters import filter_option
from vudissect.cli.formats import chosen, format_options, write_junit
from vudissect.cli.judging import Way, judgements
from vudissect.cli.known import known_dialect, known_rules
from vudissect.cli.output import defer_output_errors, write
from vudissect.cli.reading import captures_in
from vudissect.lint.finding import Severity
from vudissect.protocol.model import Device
from vudissect.render.findings import listed
from vudissect.render.format import CaptureReport, Counted, Reported

if TYPE_CHECKING:
    from vudissect.filter import Filter


@click.command(
    "lint",
    cls=Command,
    examples=[
        ("What is wrong in a capture", "vudissect lint boot.pcapng"),
        ("What is wrong about ring 1", "vudissect lint --filter ring=1 boot.pcapng"),
        ("All captures of a folder in CI", "vudissect lint --strict --junit lint.xml captures/"),
        ("Which programs break which rule, on 4 cores", "vudissect lint --summary --jobs 4 captures/"),
        ("Fail only for what is new", "vudissect lint --baseline known.jsonl captures/"),
        ("The findings as comments in Wireshark", "vudissect lint boot.pcapng --annotate found.pcapng"),
        ("Without a known warning", "vudissect lint --ignore VU-STA-01 boot.pcapng"),
    ],
)
@click.argument("files", type=FILE, nargs=-1, required=True, metavar="FILE|DIRECTORY...")
@format_options(
    Reported, json="One JSON object per finding, with --summary per rule and pair.", junit="Also write a JUnit report."
)
@click.option("--summary", is_flag=True, help="Count the findings by rule, pair of programs and device.")
@click.option("--jobs", type=click.IntRange(1), default=1, metavar="N", help="Judge so many captures at once.")
@click.option(
    "--baseline",
    type=FILE,
    metavar="FILE",
    help="Report only findings that are not in this file; known ones do not fail.",
)
@click.option("--write-baseline", type=FILE, metavar="FILE", help="Write the findings as known ones.")
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
    summary: bool,
    jobs: int,
    baseline: str | None,
    write_baseline: str | None,
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
    cannot be read or has no messages (with --summary: 1).
    """
    if summary and (junit_file is not None or annotate is not None):
        fail("--summary counts findings: --junit and --annotate list them, so use them without it")
    named = captures_in(files)
    if annotate is not None:
        refuse_annotation(named, annotate)
    if jobs > 1 and "-" in named:
        fail("--jobs reads files, not standard input")
    if speaks is not None:
        known_dialect(speaks)
    for rule in ignore:
        known_rules(rule)
    known = None
    if baseline is not None or write_baseline is not None:
        known = Baseline(known_findings(baseline) if baseline is not None else frozenset())
    way = Way(
        device.name if device is not None else None,
        speaks,
        ignore,
        wanted.text if wanted is not None else None,
        least,
        pairs=summary or known is not None,
    )
    usual = least is not None
    course = Course(wanted, known, unreadable=FINDINGS if summary else CANNOT, strict=strict, usual=usual)
    judged = judgements(named, way, min(jobs, len(named)))
    reports: list[CaptureReport] = []
    result = Reported(course.reports(judged), len(named) > 1, strict, output_style(), usual)
    if junit_file is not None or annotate is not None:
        result = result._replace(captures=_kept(result.captures, reports))
    if summary:
        counted = Counted(partial(course.counts, judged, len(named)), result.style)
        lines = chosen(Counted, form, as_json=as_json).render(counted)
    else:
        lines = chosen(Reported, form, as_json=as_json).render(result)
    defer_output_errors()
    write(lines)
    course.report_no_match()
    if annotate is not None and reports:
        annotate_copy(named[0], annotate, listed(reports[0].findings, usual=usual))
    if junit_file is not None:
        write_junit(junit_file, result._replace(captures=reports))
    if write_baseline is not None and known is not None:
        write_known(write_baseline, known.found)
    if course.status:
        raise SystemExit(course.status)


def _kept(reports: Iterable[CaptureReport], kept: list[CaptureReport]) -> Iterator[CaptureReport]:
    """The same reports, which are also added to a list."""
    for report in reports:
        kept.append(report)
        yield report
