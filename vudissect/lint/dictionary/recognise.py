"""Reads lines of logs: which entries match, which programs wrote them, and what they name."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from vudissect.lint.dictionary.entry import Form, LogLine, Suspect
from vudissect.lint.dictionary.facts import Facts, facts_of
from vudissect.lint.dictionary.lines import forms_in
from vudissect.lint.dictionary.program import Program, programs_in
from vudissect.protocol.model import Channel

# The interesting part of a line comes well before this.
_MOST_CHARACTERS = 1 << 16
# An error that contains others, as in Rust, is explained together with them.
_MOST_ENTRIES = 4

_ESCAPES = re.compile(r"\x1b\[[0-9;:?]{0,40}[A-Za-z]|\x1b\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]")
_JSON_TEXTS = ("log", "msg", "message", "MESSAGE")
_COMPLAINTS = re.compile(
    r"err|fail|invalid|panic|unexpected|unable|cannot|can't|refus|timed? ?out|unsupported|not supported|abort|closed"
)

# Libraries whose texts appear in the lines of the programs that use them.
_LIBRARIES = {
    Program.LIBVHOST_USER: {Program.STORAGE_DAEMON, Program.VIRTIOFSD, Program.PASST, Program.QEMU},
    Program.STORAGE_DAEMON: {Program.LIBVHOST_USER},
    Program.RUST_VMM: {
        Program.VIRTIOFSD,
        Program.RUST_DAEMON,
        Program.CLOUD_HYPERVISOR,
        Program.FIRECRACKER,
        Program.CROSVM,
        Program.KATA,
    },
    Program.RUST_DAEMON: {Program.VIRTIOFSD, Program.RUST_VMM},
    Program.VIRTIOFSD: {Program.RUST_VMM, Program.RUST_DAEMON, Program.LIBVHOST_USER},
    Program.DPDK: {Program.OPEN_VSWITCH, Program.SPDK},
    Program.VIRTIO_USER: {Program.DPDK},
    Program.QEMU: {Program.LIBVIRT},
    Program.CLOUD_HYPERVISOR: {Program.RUST_VMM},
    Program.FIRECRACKER: {Program.RUST_VMM},
}


class Recognised(NamedTuple):
    """A line of a log: its number from 1, the matching entries, the programs that it names, and other facts.

    The first entry is the line itself, the others are nested in it or give the reason. An unknown line has none.
    """

    number: int
    text: str
    entries: tuple[LogLine, ...]
    programs: tuple[Program, ...]
    facts: Facts

    @property
    def program(self) -> Program | None:
        """The program that wrote it, if known."""
        if self.entries:
            return self.entries[0].program
        return self.programs[-1] if self.programs else None


def recognise(lines: Iterable[str], *, of_log: bool = False) -> Iterator[Recognised]:
    """What is recognised in each non-empty line; for a log, only in those that are about vhost-user."""
    for number, line in enumerate(lines, 1):
        text = plain_text(line)
        if not text:
            continue
        lowered = text.lower()
        matches = _matches(text, lowered)
        if matches or not of_log or ("vhost" in lowered and _COMPLAINTS.search(lowered)):
            yield _recognised(number, text, matches)


def _recognised(number: int, text: str, matches: list["_Match"]) -> Recognised:
    programs = programs_in(text)
    found = _chosen(matches, programs)
    entries = tuple(dict.fromkeys(form.line for form, _ in found))
    channel = entries[0].channel if entries else Channel.MAIN
    return Recognised(number, text, entries, programs, facts_of(text, found[0][1] if found else None, channel))


def plain_text(line: str) -> str:
    """A line without colours, and without the quotes of the format that holds it (JSON, logfmt)."""
    text = _ESCAPES.sub("", line[:_MOST_CHARACTERS]).strip()
    if text.startswith("{") and text.endswith("}"):
        try:
            held = json.loads(text)
        except (ValueError, RecursionError):
            return text
        message = next((held[key] for key in _JSON_TEXTS if isinstance(held.get(key), str)), None)
        if message is not None:
            rest = " ".join(
                f"{key}={value}" for key, value in held.items() if isinstance(value, str) and value is not message
            )
            return f"{message.strip()} {rest}".strip()
    return text.replace('\\"', '"')


_Match = tuple[Form, re.Match[str]]


def _matches(text: str, lowered: str) -> list[_Match]:
    """The forms that match a line, and where."""
    return [(form, match) for form in forms_in(lowered) if (match := form.search(text, lowered)) is not None]


def _chosen(matches: list[_Match], programs: tuple[Program, ...]) -> list[_Match]:
    """The forms of a line, the most informative first, without overlaps."""
    theirs = {form: _is_of(form.line, programs) for form, _ in matches}
    likely = [(form, match) for form, match in matches if theirs[form] or not form.line.named]
    likely.sort(key=lambda each: (theirs[each[0]], each[0].weight, -each[1].start()), reverse=True)
    chosen: list[_Match] = []
    for form, match in likely:
        passing = not theirs[form] or form.line.suspect is Suspect.NOBODY
        # An incidental match must not be of a program that the line is not about.
        if chosen and passing and not _is_of(form.line, (chosen[0][0].line.program,)):
            continue
        if len(chosen) < _MOST_ENTRIES and all(_apart(match, other) for _, other in chosen):
            chosen.append((form, match))
    return chosen


def _apart(one: re.Match[str], other: re.Match[str]) -> bool:
    return one.end() <= other.start() or one.start() >= other.end()


def _is_of(line: LogLine, programs: tuple[Program, ...]) -> bool:
    """Whether one of these programs writes such lines."""
    return line.program in programs or not _LIBRARIES.get(line.program, frozenset()).isdisjoint(programs)
