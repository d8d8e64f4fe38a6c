"""Which frames of a capture are in its page: all, or of a long capture the first, the last and those around findings.

Frames are chosen in chunks, and each chunk is made into a block of the page without the others. So what is left out
takes little time, and no memory.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from vudissect.analysis import Judged
from vudissect.capture.record import RecordKind
from vudissect.lint.finding import Severity

IN_A_CHUNK: Final = 500
AT_AN_END: Final = 10_000
"""How many frames of a long capture are in its page from its beginning, and from its end."""

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some events that follow each other, and the connections that were open before the first."""

    judged: Sequence[Judged]
    open: frozenset[int]

    @property
    def matters(self) -> bool:
        """Whether it has a finding that a reader of the page looks for."""
        return any(finding.severity is not Severity.INFO for _, findings in self.judged for finding in findings)


@dataclass(frozen=True, slots=True)
class Parts:
    """The frames from `first` to `last`, all of them if they are not more than `most`."""

    most: int
    first: int = 1
    last: int | None = None

    def chosen(self, judged: Iterable[Judged], make: Callable[[Chunk], Made]) -> list[Made]:
        """What is made of each chunk that is in the page."""
        room, ends = self.most // IN_A_CHUNK, AT_AN_END // IN_A_CHUNK
        made: list[tuple[int, bool, Made]] = []
        latest: deque[tuple[int, bool, Chunk]] = deque()
        number, wanted_ones = -1, 0
        for number, (wanted, chunk) in enumerate(_near_findings(self._chunks(judged))):
            wanted_ones += wanted
            if number < room:
                made.append((number, wanted, make(chunk)))
                continue
            latest.append((number, wanted and wanted_ones <= room, chunk))
            # The last chunk may be short.
            if len(latest) > ends + 1:
                old, wanted, chunk = latest.popleft()
                if wanted:
                    made.append((old, True, make(chunk)))
        if number >= room:
            made = [each for each in made if each[0] < ends or each[1] or each[0] >= number - ends]
        return [each for _, _, each in made] + [make(chunk) for _, _, chunk in latest]

    def _chunks(self, judged: Iterable[Judged]) -> Iterator[Chunk]:
        """The wanted events; the others are read."""
        events: list[Judged] = []
        known: set[int] = set()
        before = frozenset(known)
        for each in judged:
            record = each[0].record
            if record.frame >= self.first and (self.last is None or record.frame <= self.last):
                if not events:
                    before = frozenset(known)
                events.append(each)
            if record.kind is RecordKind.CONNECTION_CLOSED:
                known.discard(record.connection)
            elif record.connection:
                known.add(record.connection)
            if len(events) == IN_A_CHUNK:
                yield Chunk(events, before)
                events = []
        if events:
            yield Chunk(events, before)


def _near_findings(chunks: Iterable[Chunk]) -> Iterator[tuple[bool, Chunk]]:
    """Each chunk, and whether it or one beside it has a finding."""
    before, held = False, None
    for chunk in chunks:
        if held is not None:
            yield before or held.matters or chunk.matters, held
            before = held.matters
        held = chunk
    if held is not None:
        yield before or held.matters, held
