"""Writes the page about how a capture was made, and the table of all captures."""

import platform
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from datetime import date
from itertools import groupby
from pathlib import Path

from tests.peers import journal
from tests.peers.captures import CAPTURES, FOLDER, Capture, Package, path_of
from tests.peers.meaning import Meaning, meaning_of
from tests.peers.processes import PeerError
from tests.peers.releases import Release
from vudissect.protocol.model import Channel

_INTRODUCTION = """# Captures of real peers

Each file is a session between two programs that know nothing about vudissect, recorded by `vuproxy` between them.
Nothing in it was edited. Read one with

    vudissect show captures/qemu-7.2-blk-qsd.pcapng

or open it in Wireshark. The page of a capture describes what happens in it and how it was made: versions, command
lines, and what the guest ran. `make captures` records them all again, `python captures/make.py NAME` one of them, with
the code that the tests use (`tests/peers/situations/`). It also writes these pages. The name of a capture has the
versions of the programs; if others are installed, `make.py` reports an error. Peers from trixie run in a tree of that
release, which `sh tests/peers/trixie.sh` makes with debootstrap, by default in the user's cache folder;
`VUDISSECT_TRIXIE` sets another folder.

| capture | front-end | back-end | messages | descriptors | connections |
|---|---|---|---|---|---|
"""


def check_packages(capture: Capture) -> None:
    """`PeerError` unless the packages are installed in the versions that are in the capture's name."""
    for package in capture.packages:
        installed = _installed_version(package)
        # The epoch is not part of the program's own version.
        if not installed.partition(":")[2].startswith(package.version) and not installed.startswith(package.version):
            raise PeerError(
                f"{package.name} is {installed}, not {package.version}: install that version, or rename the capture"
            )


def page(name: str, folder: Path, made: date) -> str:
    """The page of a capture that was recorded in this folder."""
    return "\n".join(_page(name, folder, made))


def _page(name: str, folder: Path, made: date) -> Iterator[str]:
    capture = CAPTURES[name]
    yield f"# {name}\n"
    yield f"{capture.front_end}, and {capture.back_end}.\n\n{_description(capture)}"
    releases = sorted({package.release.value for package in capture.packages})
    where = f"Debian {' and '.join(releases)}, {platform.machine()}"
    yield f"Recorded on {made} with `python captures/make.py {name}`; {where}.\n"
    yield "| package | version |\n|---|---|"
    for package in capture.packages:
        yield f"| {package.name} | {_installed_version(package)} |"
    yield "\n## What was run, in this order"
    for entry, _repeated in groupby(journal.entries(folder)):
        yield f"\n{_LEAD[entry.kind].format(who=entry.who)}\n"
        yield "".join(f"    {line}".rstrip() + "\n" for line in _wrapped(entry)).rstrip("\n")
    yield ""


_WIDTH = 70  # of a line of a command; after it, the next option begins a new line
_LEAD = {"runs": "{who}:", "script": "{who} will run this script:", "sent": "{who} is sent:"}


def _description(capture: Capture) -> str:
    """What happens in the situation: its documentation, and the parameters that are not the defaults."""
    situation = capture.situation
    text = "\n".join(line.strip() for line in (type(situation).__doc__ or "").strip().splitlines())
    special = [
        f"{field.name} {value}"
        for field in fields(situation)
        if (value := getattr(situation, field.name)) != field.default and not isinstance(value, Release)
    ]
    return f"{text}\n\nParameters: {', '.join(special)}.\n" if special else f"{text}\n"


def _wrapped(entry: journal.Entry) -> list[str]:
    if entry.kind != "runs":
        return entry.text.splitlines()
    lines = [""]
    for word in map(shlex.quote, shlex.split(entry.text)):
        if word.startswith("-") and len(lines[-1]) > _WIDTH:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines


def overview() -> str:
    """The README of captures/."""
    return _INTRODUCTION + "".join(
        f"| [{name}]({name}.md) | {capture.front_end} | {capture.back_end} | {_numbers(meaning_of(path_of(name)))} |\n"
        for name, capture in CAPTURES.items()
        if path_of(name).exists()
    )


def write_overview() -> None:
    """Write the README of captures/."""
    (FOLDER / "README.md").write_text(overview())


def _numbers(meaning: Meaning) -> str:
    others = [f"{meaning.messages[channel]} {channel.label}" for channel in Channel if channel in meaning.opened]
    messages = ", ".join([str(meaning.messages[Channel.MAIN]), *others])
    return f"{messages} | {meaning.descriptors} | {meaning.connections}"


def _installed_version(package: Package) -> str:
    database = package.release.root / "var/lib/dpkg"
    command = ["dpkg-query", f"--admindir={database}", "--show", "--showformat=${Version}", package.name]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        raise PeerError(f"{package.name} is not installed as a package of {package.release.value}") from None
