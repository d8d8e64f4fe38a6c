"""`vudissect explain`: what lines of a log mean, tied to the rules and to a capture."""

import os
import sys
from collections.abc import Iterable

import click

from vudissect.analysis import Analysis, UpToTheCut
from vudissect.capture.reader import read_capture
from vudissect.cli.colour import color_option, output_style
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE
from vudissect.cli.devices import device_option
from vudissect.cli.errors import FINDINGS, clear_errors, fail
from vudissect.cli.lines import lines_of
from vudissect.cli.output import say
from vudissect.cli.progress import opened
from vudissect.cli.reading import conclude
from vudissect.lint.dictionary.evidence import Evidence
from vudissect.lint.dictionary.recognise import Recognised, recognise
from vudissect.lint.dictionary.ties import tie
from vudissect.lint.rules import ALL_RULES
from vudissect.protocol.model import Device
from vudissect.render.explanation import again, explanation, head, tied

# A log may be of any length, and have any number of different lines.
_MOST_REMEMBERED = 10_000


@click.command(
    "explain",
    cls=Command,
    examples=[
        ("A line of a log", "vudissect explain 'Received unexpected msg type'"),
        ("A log, with what a capture shows", "vudissect explain --capture boot.pcapng qemu.log"),
        ("The log of a running program", "journalctl -f -u my-vm | vudissect explain"),
    ],
)
@click.argument("text", type=FILE, metavar="[TEXT|FILE]", required=False)
@click.option(
    "--capture", type=FILE, metavar="FILE", help="Also print what this capture of the session shows about each line."
)
@device_option("The device type of that capture (blk, net, fs, ...), instead of a guess.")
@color_option
def command(text: str | None, capture: str | None, device: Device | None) -> None:
    """Explain a line of a log (of QEMU, DPDK, SPDK, rust-vmm and others), or all known lines in a log FILE.

    Without an argument, or with -, the log is read from standard input. The exit status is 0 if a line is known, 1 if
    none is, and 2 if a file cannot be read.
    """
    if text is None:
        if sys.stdin is None or sys.stdin.isatty():
            fail("explain: give a line of a log, a FILE, or a log on standard input")
        text = "-"
    is_file = text == "-" or os.path.exists(text)
    if device is not None and capture is None:
        fail("explain: --device is about a capture: name one with --capture")
    with clear_errors(text):
        if capture == "-" and text == "-":
            fail("explain: log and capture cannot both come from standard input")
        records, evidence = _read(capture, device) if capture is not None else (None, None)
        lines: Iterable[str] = lines_of(text, "backslashreplace") if is_file else text.splitlines()
        is_known = _explain(recognise(lines, of_log=is_file), capture or "", evidence, is_log=is_file)
    if not is_known and not is_file and not any(map(str.isspace, text)):
        fail(f"{text}: no such file, and not a known line of a log")
    if not is_known:
        say("no known line of a log")
    if records is not None and capture is not None:
        conclude(capture, records)
    if not is_known:
        raise SystemExit(FINDINGS)


def _explain(lines: Iterable[Recognised], file: str, evidence: Evidence | None, *, is_log: bool) -> bool:
    """Print what each line means, and return whether any is known; other lines of a log are skipped."""
    style = output_style()
    rules = {rule.id: rule for rule in ALL_RULES}
    explained: dict[object, int] = {}
    is_known = False
    for found in lines:
        is_known |= bool(found.entries)
        say(head(found, style, numbered=is_log))
        same = (found.entries, found.facts) if found.entries else found.text
        if same in explained:
            say(again(explained[same]))
            continue
        if len(explained) < _MOST_REMEMBERED:
            explained[same] = found.number
        for line in explanation(found, rules):
            say(line)
        if evidence is not None:
            for line in tied(tie(found, evidence), file, style):
                say(line)
        sys.stdout.flush()  # a log may still grow
    return is_known


def _read(file: str, device: Device | None) -> tuple[UpToTheCut, Evidence]:
    """The evidence in a capture."""
    evidence = Evidence()
    with opened(file) as stream:
        analysis = Analysis(read_capture(stream), device=device)
        for event, findings in analysis:
            evidence.add(event, findings)
        evidence.finish(analysis.finish(), analysis.session)
    return analysis.records, evidence
