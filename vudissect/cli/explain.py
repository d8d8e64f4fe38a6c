"""`vudissect explain`: what lines of a log mean, tied to the rules and to what a capture shows."""

import os
import sys

import click

from vudissect.cli.errors import FINDINGS, clear_errors, fail
from vudissect.cli.lint import lint_capture
from vudissect.lint.dictionary import Recognised, recognise
from vudissect.lint.rules import ALL_RULES
from vudissect.render.explanation import explanation
from vudissect.render.findings import report
from vudissect.render.style import style_for


@click.command("explain")
@click.argument("text", metavar="TEXT|FILE")
@click.option("--capture", metavar="FILE", help="Also say what this capture of the session shows under these rules.")
def command(text: str, capture: str | None) -> None:
    """Explain a line of a log (of QEMU, DPDK, SPDK, libvhost-user, rust-vmm, VPP), or all known lines in a log FILE.

    The exit status is 0 if a line is known, 1 if none is, 2 if a file cannot be read.
    """
    with clear_errors(text):
        is_file = text == "-" or os.path.exists(text)
        recognised = list(recognise(_lines(text) if is_file else text.splitlines()))
        if not recognised and not is_file and not any(map(str.isspace, text)):
            fail(f"{text}: no such file, and no known line of a log")
        style = style_for(sys.stdout)
        rules = {rule.id: rule for rule in ALL_RULES}
        for found in recognised:
            for line in explanation(found, rules, style, numbered=is_file):
                click.echo(line)
        if not recognised:
            click.echo("no line of it is known")
    if capture is not None:
        _show_capture(capture, recognised)
    if not recognised:
        raise SystemExit(FINDINGS)


def _lines(file: str) -> list[str]:
    with open(0 if file == "-" else file, encoding="utf-8", errors="backslashreplace", closefd=file != "-") as stream:
        return stream.read().splitlines()


def _show_capture(file: str, recognised: list[Recognised]) -> None:
    wanted = {number for found in recognised for number in found.line.rules}
    rules = [rule for rule in ALL_RULES if rule.id in wanted]
    with clear_errors(file):
        findings, withheld, messages = lint_capture(file, rules)
        click.echo(f"{file}:")
        for line in report(findings, withheld, messages, style_for(sys.stdout)):
            click.echo(line)
