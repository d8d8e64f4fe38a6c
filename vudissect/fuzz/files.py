"""Findings as files: a conversation to read and to play again, and a capture for the other commands."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from vudissect.capture.record import Record
from vudissect.check.recorder import capture_of
from vudissect.fuzz.finding import Finding
from vudissect.fuzz.lines import line_of
from vudissect.fuzz.steps import Message
from vudissect.render.units import printable

_LONGEST = 200
_MOST_LINES = 5


def write_finding(finding: Finding, folder: Path, command: Sequence[str]) -> Path:
    """Write both; the path of the conversation. `command`: the options and words that start the program. `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{finding.key.name}.vu"
    file.write_text(conversation_of(finding, file, command))
    file.with_suffix(".pcapng").write_bytes(capture_of(finding.session.records, str(finding.key)))
    return file


def conversation_of(finding: Finding, file: Path, command: Sequence[str]) -> str:
    """What is wrong, how to see it again, and the session."""
    about = [
        str(finding.key),
        str(finding.fate),
        *(f"it wrote: {line}"[:_LONGEST] for line in list(dict.fromkeys(finding.output))[-_MOST_LINES:]),
        f"again: vudissect fuzz --again {shlex.quote(str(file))} {shlex.join(command)}",
    ]
    if not finding.reproduced:
        about.append("it did not happen again: it may need sessions before this one")
    lines = [f"# {printable(line)}" for line in about]
    lines += [line_of(each) if isinstance(each, Record) else each.line for each in finding.session.done]
    return "\n".join(lines) + "\n"


def messages_of(finding: Finding) -> int:
    """How many messages its session has."""
    return sum(isinstance(step, Message) for step in finding.steps)
