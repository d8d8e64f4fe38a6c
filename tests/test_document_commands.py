"""The commands in the documentation: each is one that exists, and those that read a capture work."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from tests.cli.test_help import PROGRAMS, parse

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "wireshark" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
GENERATED = {"conformance-cases.md", "dialects.md", "interop-bugs.md", "messages.md", "rules.md", "states.md"}
TIMEOUT = 60
# What only reads captures, so that it can be run anywhere.
WITHOUT_CAPTURE = ("messages", "dialects", "rules", "filters")
READING = ("show", "lint", "summary", "state", "diff", "times", "report", *WITHOUT_CAPTURE)
CAPTURE = ROOT / "captures" / "qemu-7.2-net-iommu-dpdk-22.11.pcapng"
# What the pytest plugin prints.
OUTPUT = "vudissect recorded "
_BLOCK = re.compile(r"^```(?:sh|console|text)?\n(.*?)^```$|((?:^    .+\n)+)", re.MULTILINE | re.DOTALL)
_ENDS = re.compile(r"[|>&)<;]|&&")


def lines(page: Path) -> Iterator[str]:
    """The command lines in the blocks of a page, joined where they are continued."""
    for match in _BLOCK.finditer(page.read_text()):
        block = (match[1] or match[2]).replace("\\\n", " ")
        for line in block.splitlines():
            yield line.strip().removeprefix("$ ")


def commands() -> Iterator[Any]:
    """Each command of ours in a line, without what is left out in it."""
    for page in PAGES:
        if page.name in GENERATED:
            continue
        for line in lines(page):
            if line.startswith(OUTPUT):
                continue
            try:
                lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
                lexer.whitespace_split = True
                words = list(lexer)
            except ValueError:
                continue
            for start, word in enumerate(words):
                if word in PROGRAMS and (start == 0 or _ENDS.match(words[start - 1])):
                    rest = words[start:]
                    end = next((n for n, each in enumerate(rest) if _ENDS.match(each)), len(rest))
                    shown = " ".join(rest[:end])
                    yield pytest.param(rest[:end], id=f"{page.relative_to(ROOT)}: {shown}")


EVERY = list(commands())


@pytest.mark.parametrize("words", EVERY)
def test_it_is_a_command_that_exists(words: list[str]) -> None:
    if any(_is_open(word) for word in words):
        words = [word for word in words if not _is_open(word)]
        with_all = [word for word in words if word.startswith("--")]
        known = {name for command in _below(PROGRAMS[words[0]], words[1:]) for p in command.params for name in p.opts}
        assert {word.partition("=")[0] for word in with_all} <= known
        return
    parse(PROGRAMS[words[0]], words[0], words[1:])


def _is_open(word: str) -> bool:
    """Whether the reader has to write something else there, or the shell does."""
    return "…" in word or word == "..." or "$(" in word


def _below(command: click.Command, words: list[str]) -> list[click.Command]:
    """The command and the subcommand that is called."""
    found = command.get_command(click.Context(command), words[0]) if isinstance(command, click.Group) else None
    return [command, *([found] if found is not None else [])]


def _reads(words: list[str]) -> bool:
    """Whether a command only prints something about captures, all of which are named."""
    left_out = any(_is_open(word) or "..." in word or word.isupper() or word in ("-", "-f") for word in words[1:])
    named = any(word.endswith(".pcapng") for word in words) or words[1:2][0] in WITHOUT_CAPTURE
    return words[0] == "vudissect" and words[1:2][0] in READING and named and not left_out


@pytest.mark.parametrize("words", [each for each in EVERY if len(each.values[0]) > 1 and _reads(each.values[0])])
def test_what_reads_a_capture_works(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "captures").symlink_to(ROOT / "captures")
    for word in words:
        name = word.partition("@")[0]
        if name.endswith(".pcapng") and not (tmp_path / name).exists():
            shutil.copy(CAPTURE, tmp_path / name)

    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=tmp_path,
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )

    # Statuses of findings and differences are results, too.
    assert done.returncode in (0, 1), done.stderr
