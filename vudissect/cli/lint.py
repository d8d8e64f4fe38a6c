"""`vudissect lint`: what is wrong in captures, by which rule, and who is to blame."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import click

from vudissect.analysis import Analysis, Linted
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.cli.dialects import known_dialect
from vudissect.cli.errors import FINDINGS, clear_errors
from vudissect.cli.output import ReaderLeftError, say
from vudissect.cli.reading import complaints, verdict
from vudissect.cli.rules import known_rules
from vudissect.lint.rule import Rule
from vudissect.lint.rules import ALL_RULES
from vudissect.render.findings import Judged, fails, finding_json, in_order, junit, report
from vudissect.render.style import style_for
from vudissect.render.units import printable


@click.command("lint")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a finding.")
@click.option("--junit", "junit_file", metavar="FILE", help="Write a JUnit report, too.")
@click.option("--strict", is_flag=True, help="Warnings fail as errors do.")
@click.option("--ignore", multiple=True, metavar="RULE", help="Ignore this rule or family (repeatable).")
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

    The exit status is 1 if there are errors (with --strict: or warnings) or the end of a file is missing, 2 if a file
    cannot be read or holds no messages.
    """
    rules = _without(ignore)
    dialect = known_dialect(speaks) if speaks is not None else None
    results: list[Judged] = []
    status = 0
    for file in files:
        with clear_errors(file):
            with open_capture(file) as stream:
                analysis = Analysis(read_capture(stream), dialect=dialect, rules=rules)
                linted = analysis.lint()
            lines = _json(file, linted) if as_json else report(*linted, style_for(sys.stdout))
            with suppress(ReaderLeftError):  # which changes nothing about the verdict
                if len(files) > 1 and not as_json:
                    say(f"{printable(file)}:")
                for line in lines:
                    say(line)
            results.append(Judged(file, linted.findings, complaints(analysis.records)))
            found = any(fails(finding, strict=strict) for finding in linted.findings)
            status = max(status, verdict(file, analysis.records), FINDINGS if found else 0)
    if junit_file is not None:
        with clear_errors(junit_file):
            Path(junit_file).write_bytes(junit(results, strict=strict))
    if status:
        raise SystemExit(status)


def _json(file: str, linted: Linted) -> Iterator[str]:
    return (finding_json(finding, file) for finding in in_order(linted.findings))


def _without(ignored: Sequence[str]) -> tuple[Rule, ...]:
    unwanted = {rule.id for text in ignored for rule in known_rules(text)}
    return tuple(rule for rule in ALL_RULES if rule.id not in unwanted)
