"""How a capture was made, as a page beside it, and the table of all captures."""

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

Each file is what two programs that know nothing of vudissect said to each other, recorded by `vuproxy` between them.
Nothing in them was edited. Read one with

    vudissect show captures/qemu-7.2-blk-qsd.pcapng

or open it in Wireshark. The page that a name leads to tells what happens in it and how it was made: versions, command
lines, what the guest ran. `make captures` makes them anew, `python captures/make.py NAME` one of them, with the code
that the tests run (`tests/peers/situations/`). A name tells the versions of the programs; where others are installed,
`make.py` refuses and says so. It writes these pages, too. Peers of trixie come from a tree of that release, which
`sh tests/peers/trixie.sh` makes with debootstrap; `VUDISSECT_TRIXIE` says where, if not among the user's caches.

| capture | front-end | back-end | messages | descriptors | connections |
|---|---|---|---|---|---|
"""


def check_packages(capture: Capture) -> None:
    """`PeerError` unless the packages are installed in the versions that the capture's name tells."""
    for package in capture.packages:
        installed = _installed_version(package)
        # An epoch is no part of what the authors of a program call its version.
        if not installed.partition(":")[2].startswith(package.version) and not installed.startswith(package.version):
            raise PeerError(f"{package.name} is {installed}, not {package.version}: name its capture after its version")


def page(name: str, folder: Path, made: date) -> str:
    """The page of a capture that was recorded in the folder."""
    return "\n".join(_page(name, folder, made))


def _page(name: str, folder: Path, made: date) -> Iterator[str]:
    capture = CAPTURES[name]
    yield f"# {name}\n"
    yield f"{capture.front_end}, and {capture.back_end}.\n\n{_told(capture)}"
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


_WIDTH = 70  # of a line of a command, after which the next option gets another one
_LEAD = {"runs": "{who}:", "script": "{who} is going to run this script:", "told": "{who} is told:"}


def _told(capture: Capture) -> str:
    """What happens in the situation: its documentation, and what is not as usual."""
    situation = capture.situation
    text = "\n".join(line.strip() for line in (type(situation).__doc__ or "").strip().splitlines())
    special = [
        f"{field.name} {value}"
        for field in fields(situation)
        if (value := getattr(situation, field.name)) != field.default and not isinstance(value, Release)
    ]
    return f"{text}\n\nHere: {', '.join(special)}.\n" if special else f"{text}\n"


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
    """The README of the captures."""
    return _INTRODUCTION + "".join(
        f"| [{name}]({name}.md) | {capture.front_end} | {capture.back_end} | {_numbers(meaning_of(path_of(name)))} |\n"
        for name, capture in CAPTURES.items()
        if path_of(name).exists()
    )


def write_overview() -> None:
    """Write the README of the captures."""
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
