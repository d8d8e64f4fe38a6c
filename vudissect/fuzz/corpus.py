"""The sessions that showed something new, in memory and in a folder; what is new is a matter of sets."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random

from vudissect.conversation.conversation import ConversationError
from vudissect.fuzz.coverage import Edges
from vudissect.fuzz.steps import Steps, read_steps, text_of
from vudissect.protocol.model import Side

Seen = Iterable[tuple[str, ...]]

_FROM_EDGES, _FROM_LATEST = 0.5, 0.7
_LATEST = 30


class Corpus:
    """Sessions to derive others from; with a folder, those of earlier runs, and room for those of this one."""

    def __init__(self, seeds: Iterable[Steps], folder: Path | None = None, plays: Side = Side.FRONT_END) -> None:
        self.entries: list[Steps] = [steps for steps in seeds if steps]
        self.coverage: set[tuple[str, ...]] = set()
        """What was seen: message, state and outcome; and lines of the log."""
        self.edges: Counter[int] = Counter()
        """In how many sessions the back-end passed each edge of its code, where it shows them."""
        self.unreadable: list[str] = []
        self._ways: dict[int, Steps] = {}
        self._folder = folder
        self._plays = plays
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._read(folder)

    def add(self, steps: Steps, seen: Seen, edges: Edges = frozenset(), *, keep: bool = True) -> bool:
        """Keep a session, if it may be kept, with which something was seen for the first time; whether it was kept."""
        new, new_edges = set(seen) - self.coverage, edges - self.edges.keys()
        self.coverage |= new
        self.edges.update(edges)
        if not (new or new_edges) or not keep:
            return False
        self._ways |= dict.fromkeys(sorted(new_edges), steps)
        self.entries.append(steps)
        if self._folder is not None:
            text = text_of(steps)
            name = hashlib.sha256(text.encode()).hexdigest()[:16]
            (self._folder / f"{name}.vu").write_text(text)
        return True

    def choose(self, random: Random) -> Steps:
        """One to derive others from: often the first that came to an edge that few pass, or else one of the latest."""
        if self._ways and random.random() < _FROM_EDGES:
            return random.choices(list(self._ways.values()), [1 / self.edges[edge] for edge in self._ways])[0]
        return random.choice(self.entries[-_LATEST:] if random.random() < _FROM_LATEST else self.entries)

    def _read(self, folder: Path) -> None:
        for file in sorted(folder.glob("*.vu")):
            try:
                self.entries.append(read_steps(file.read_text(errors="replace"), self._plays))
            except ConversationError as error:
                self.unreadable.append(f"{file}: {error}")
