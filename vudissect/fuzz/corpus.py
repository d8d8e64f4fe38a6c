"""The sessions that showed something new, in memory and in a folder; what is new is a matter of sets."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from vudissect.conversation.conversation import ConversationError
from vudissect.fuzz.steps import Steps, read_steps, text_of

Seen = Iterable[tuple[str, ...]]


class Corpus:
    """Sessions to derive others from; with a folder, those of earlier runs, and room for those of this one."""

    def __init__(self, seeds: Iterable[Steps], folder: Path | None = None) -> None:
        self.entries: list[Steps] = [steps for steps in seeds if steps]
        self.coverage: set[tuple[str, ...]] = set()
        """What was seen: message, state and outcome; and lines of the log."""
        self.unreadable: list[str] = []
        self._folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._read(folder)

    def add(self, steps: Steps, seen: Seen, *, keep: bool = True) -> bool:
        """Keep a session, if it may be kept, with which something was seen for the first time; whether it was kept."""
        new = set(seen) - self.coverage
        self.coverage |= new
        if not new or not keep:
            return False
        self.entries.append(steps)
        if self._folder is not None:
            text = text_of(steps)
            name = hashlib.sha256(text.encode()).hexdigest()[:16]
            (self._folder / f"{name}.vu").write_text(text)
        return True

    def _read(self, folder: Path) -> None:
        for file in sorted(folder.glob("*.vu")):
            try:
                self.entries.append(read_steps(file.read_text(errors="replace")))
            except ConversationError as error:
                self.unreadable.append(f"{file}: {error}")
