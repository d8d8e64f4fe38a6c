"""`vudissect lint`: what is wrong in captures, by which rule, and who is to blame."""

import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

import click

from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Record
from vudissect.cli.dialects import known_dialect
from vudissect.cli.errors import FINDINGS, clear_errors, fail
from vudissect.cli.reading import session_for, until_truncated
from vudissect.lint.finding import Finding
from vudissect.lint.linter import Linter
from vudissect.lint.rule import Rule
from vudissect.lint.rules import ALL_RULES
from vudissect.render.findings import fails, finding_json, in_order, junit, report
from vudissect.render.style import style_for
from vudissect.spec.dialects.dialect import Dialect


@click.command("lint")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a finding.")
@click.option("--junit", "junit_file", metavar="FILE", help="Write a JUnit report, too.")
@click.option("--strict", is_flag=True, help="Warnings fail as errors do.")
@click.option("--ignore", multiple=True, metavar="RULE", help="Leave out this rule (again for more).")
@click.option("--dialect", "speaks", metavar="NAME", help="Read the messages as in this dialect (vudissect dialects).")
def command(
    files: tuple[str, ...],
    as_json: bool,
    junit_file: str | None,
    strict: bool,
    ignore: tuple[str, ...],
    speaks: str | None,
) -> None:
    """Say what is wrong in captures: worst first, with the rule, who is to blame, and the frames.

    The exit status is 1 if there are errors (with --strict: or warnings), 2 if a file cannot be read.
    """
    rules = _without(ignore)
    dialect = known_dialect(speaks) if speaks is not None else None
    results: list[tuple[str, list[Finding]]] = []
    for file in files:
        with clear_errors(file):
            findings, withheld, messages = lint_capture(file, rules, dialect)
            results.append((file, findings))
            if as_json:
                for finding in in_order(findings):
                    click.echo(finding_json(finding, file))
            else:
                if len(files) > 1:
                    click.echo(f"{file}:")
                for line in report(findings, withheld, messages, style_for(sys.stdout)):
                    click.echo(line)
    if junit_file is not None:
        with clear_errors(junit_file):
            Path(junit_file).write_bytes(junit(results, strict=strict))
    if any(fails(finding, strict=strict) for _, findings in results for finding in findings):
        raise SystemExit(FINDINGS)


Linted = tuple[list[Finding], dict[str, int], int]


def lint_capture(file: str, rules: Sequence[Rule], dialect: Dialect | None = None) -> Linted:
    """The findings of a capture, how many more were withheld by rule, and how many frames it has."""
    with open_capture(file) as stream:
        return lint_records(until_truncated(read_capture(stream)), rules, dialect)


def lint_records(records: Iterator[Record], rules: Sequence[Rule], dialect: Dialect | None = None) -> Linted:
    """The same for records that were read already, or never written."""
    session, records = session_for(records, dialect=dialect)
    linter = Linter(rules)
    findings: list[Finding] = []
    frames = 0
    for event in session.events(records):
        findings += linter.check(event)
        frames += 1
    return findings + linter.finish(), linter.withheld, frames


def _without(ignored: Sequence[str]) -> tuple[Rule, ...]:
    known = [rule.id for rule in ALL_RULES]
    for number in ignored:
        if number.upper() not in known:
            near = get_close_matches(number.upper(), known, n=3)
            fail(f"no rule {number!r}; " + (f"near it: {', '.join(near)}" if near else "vudissect rules lists them"))
    wanted = {number.upper() for number in ignored}
    return tuple(rule for rule in ALL_RULES if rule.id not in wanted)
