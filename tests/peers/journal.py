"""A log of what was done in the folder of a situation, in order: programs started, scripts and commands sent.

The page of a capture is made from it.
"""

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_FILE = "journal.jsonl"


@dataclass(frozen=True)
class Entry:
    """One action of or on `who`; `kind` is "runs" (a command line), "script" or "sent" (a command)."""

    kind: str
    who: str
    text: str


def note_command(folder: Path, who: str, command: Sequence[str]) -> None:
    """A program starts. Paths in the folder become relative to it, and programs lose their folder."""
    words = [_without(folder, word) for word in command]
    words[0] = Path(words[0]).name
    _write(folder, Entry("runs", who, shlex.join(words)))


def note_script(folder: Path, who: str, script: str) -> None:
    """A guest gets a script to run."""
    _write(folder, Entry("script", who, script.strip()))


def note_sent(folder: Path, who: str, command: str) -> None:
    """A running program is sent something: a line, a monitor command, a signal."""
    _write(folder, Entry("sent", who, _without(folder, command)))


def entries(folder: Path) -> list[Entry]:
    """All entries for this folder."""
    return [Entry(**json.loads(line)) for line in (folder / _FILE).read_text().splitlines()]


def _without(folder: Path, text: str) -> str:
    return text.replace(f"{folder}/", "")


def _write(folder: Path, entry: Entry) -> None:
    with (folder / _FILE).open("a") as file:
        file.write(json.dumps(asdict(entry)) + "\n")
