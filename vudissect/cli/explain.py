"""`vudissect explain`: what lines of a log mean, tied to the rules and to what a capture shows."""

import os
import sys

import click

from vudissect.analysis import Analysis
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.cli.errors import FINDINGS, clear_errors, fail
from vudissect.cli.lines import lines_of
from vudissect.cli.output import say
from vudissect.cli.reading import conclude
from vudissect.lint.dictionary import recognise
from vudissect.lint.rules import ALL_RULES
from vudissect.render.explanation import explanation
from vudissect.render.findings import report
from vudissect.render.style import style_for
from vudissect.render.units import printable


@click.command("explain")
@click.argument("text", metavar="TEXT|FILE")
@click.option("--capture", metavar="FILE", help="Also say what this capture of the session shows under these rules.")
def command(text: str, capture: str | None) -> None:
    """Explain a line of a log (of QEMU, DPDK, SPDK, libvhost-user, rust-vmm, VPP), or all known lines in a log FILE.

    The exit status is 0 if a line is known, 1 if none is, 2 if a file cannot be read.
    """
    is_file = text == "-" or os.path.exists(text)
    style = style_for(sys.stdout)
    rules = {rule.id: rule for rule in ALL_RULES}
    wanted: set[str] = set()
    with clear_errors(text):
        for found in recognise(lines_of(text, "backslashreplace") if is_file else text.splitlines()):
            wanted.update(found.line.rules)
            for line in explanation(found, rules, style, numbered=is_file):
                say(line)
            sys.stdout.flush()  # a log may still grow
    if not wanted and not is_file and not any(map(str.isspace, text)):
        fail(f"{text}: no such file, and no known line of a log")
    if not wanted:
        say("no line of it is known")
    if capture is not None:
        _show_capture(capture, wanted)
    if not wanted:
        raise SystemExit(FINDINGS)


def _show_capture(file: str, wanted: set[str]) -> None:
    rules = [rule for rule in ALL_RULES if rule.id in wanted]
    with clear_errors(file), open_capture(file) as stream:
        analysis = Analysis(read_capture(stream), rules=rules)
        linted = analysis.lint()
        say(f"{printable(file)}:")
        for line in report(*linted, style_for(sys.stdout)):
            say(line)
        conclude(file, analysis.records)
