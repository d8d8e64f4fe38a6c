"""The one pipeline: records in, events with their findings out.

Every command, test and library user reads a capture through an `Analysis`, so that all of them see the same: what was
cut off is read up to the cut, the device and the dialect are found by looking ahead, or on the way in a live capture,
and the rules are asked about every event.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice, repeat
from os import PathLike, fspath
from typing import TYPE_CHECKING, NamedTuple

from vudissect.capture.errors import CaptureError, TruncatedCapture
from vudissect.capture.files import FollowedFile, open_capture
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Record, RecordKind
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.protocol.model import Device
from vudissect.protocol.table import UPSTREAM
from vudissect.session.event import Event
from vudissect.session.session import RECORDS_TO_GUESS_FROM, Session, foresee
from vudissect.session.state import State

if TYPE_CHECKING:
    from vudissect.lint.finding import Finding
    from vudissect.lint.linter import Linter
    from vudissect.lint.rule import Rule


Judged = tuple[Event, Sequence["Finding"]]
"""An event, and what is wrong with it."""


# Few enough for all of them to be in the cache of a processor.
_MOST_IN_A_RUN = 64


class Linted(NamedTuple):
    """The findings of a capture, how many more were withheld by rule, and how many frames it has."""

    findings: list["Finding"]
    withheld: dict[str, int]
    frames: int


class UpToTheCut:
    """The records of a capture that may have been cut off, as a crash leaves it: all that is there."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.truncated: TruncatedCapture | None = None
        """Where the capture was cut off, once that was read."""
        self.has_messages = False
        """Whether there was a message: without any there is nothing to judge."""
        self._records = records

    def __iter__(self) -> Iterator[Record]:
        records = iter(self._records)
        record: Record | None = None
        try:
            for record in records:
                self.has_messages = record.kind is RecordKind.MESSAGE
                yield record
                if self.has_messages:
                    break
            yield from records  # nothing more is to be found out
        except TruncatedCapture as error:
            if record is None:
                raise
            self.truncated = error


class Analysis:
    """The events of a capture with what is wrong with each. Iterate over it once; then the rest can be asked for.

    `device` and `dialect` are found where they are not given. `rules` are all of them if None; with none nothing is
    judged, which is quicker. `live` records are shown as they come, without looking ahead.
    """

    def __init__(
        self,
        records: Iterable[Record],
        *,
        device: Device | None = None,
        dialect: Dialect | None = None,
        rules: Iterable["Rule"] | None = None,
        live: bool = False,
    ) -> None:
        """`CaptureError` if the records that are looked at ahead cannot be read."""
        self.records = UpToTheCut(records)
        """What is known of the capture as a whole."""
        self._records = iter(self.records)
        if dialect is not None:
            self.session = Session(device, protocol=dialect.protocol)
        elif live:
            self.session = Session(device, detect=True)
        else:
            first, self._records = _look_ahead(self._records)
            self.session = Session(device, foresee(first), detect=True)
        self._linter = _linter(self.session, rules)

    def __iter__(self) -> Iterator[Judged]:
        if self._linter is None:
            return zip(self.session.events(self._records), repeat(()), strict=False)
        return self._linter.judge(self._records)

    def ahead(self) -> Iterator[Judged]:
        """The same as by iterating, in less time: the session is some events further on.

        At a change of dialect it is not, so that it still knows the reasons for it.
        """
        return iter(self) if self._linter is None else self._linter.judge_in_runs(self._records)

    def finish(self) -> list["Finding"]:
        """What is wrong where the capture ends, on connections that are still open."""
        return self._linter.finish() if self._linter is not None else []

    def lint(self) -> Linted:
        """All findings, from here to the end of the capture."""
        findings: list[Finding] = []
        frames = 0
        for _, found in self.ahead():
            findings += found
            frames += 1
        return Linted(findings + self.finish(), self.withheld, frames)

    def read_to(self, frame: int | None = None) -> int:
        """Read on to a frame, None: to the end; the number of the frame that was reached.

        What is known then is in `session`.
        """
        reached = 0
        for record in self._records:
            if frame is not None and record.frame > frame:
                self._records = chain((record,), self._records)
                break
            self.session.feed(record)
            reached = record.frame
        return reached

    @property
    def at_end(self) -> bool:
        """Whether nothing is left to read."""
        record = next(self._records, None)
        if record is not None:
            self._records = chain((record,), self._records)
        return record is None

    def skip(self) -> None:
        """Read the rest, and forget it: whether the capture is whole shows at its end."""
        for _ in self._records:
            pass

    @property
    def withheld(self) -> dict[str, int]:
        """How many more findings there were, by rule: repetitions are counted, not listed."""
        return self._linter.withheld if self._linter is not None else {}


def _linter(session: Session, rules: Iterable["Rule"] | None) -> "Linter | None":
    # The rules are what takes longest to import.
    wanted = None if rules is None else tuple(rules)
    if wanted == ():
        return None
    from vudissect.lint.linter import Linter

    return Linter(session) if wanted is None else Linter(session, wanted)


def _look_ahead(records: Iterator[Record]) -> tuple[list[Record], Iterator[Record]]:
    """The first records, and all of them over again; what ends them too early does so in its place."""
    first: list[Record] = []
    try:
        first.extend(islice(records, RECORDS_TO_GUESS_FROM))
    except CaptureError as error:
        return first, chain(first, _failing(error))
    return first, chain(first, records)


def _failing(error: CaptureError) -> Iterator[Record]:
    raise error
    yield


def in_runs(judged: Iterable[Judged]) -> Iterator[Judged]:
    """The same events, of which several are judged before the first of them is given out: a quarter less time goes by
    until all of them are shown, as processors like to do the same thing again.

    The last one judged is never further on than a change of dialect: the session still knows the reasons for it.
    """
    run: list[Judged] = []
    protocol = UPSTREAM
    try:
        for each in judged:
            run.append(each)
            spoken = each[0].after.protocol
            if len(run) == _MOST_IN_A_RUN or spoken is not protocol:
                protocol = spoken
                yield from run
                run.clear()
    except Exception:
        yield from run
        raise
    yield from run


Source = str | PathLike[str] | Iterable[Record]
"""A capture: the path of a file (compressed or not, `-` for standard input), or records."""


def read(source: Source) -> Iterator[Record]:
    """The records of a capture. `OSError` where it cannot be opened, `CaptureError` where it cannot be read."""
    if not isinstance(source, str | PathLike):
        yield from source
        return
    with open_capture(fspath(source)) as stream:
        yield from read_capture(stream)


def analyse(
    source: Source,
    *,
    device: Device | None = None,
    dialect: Dialect | None = None,
    rules: Iterable["Rule"] | None = None,
) -> Analysis:
    """The events of a capture, each with what is wrong with it; errors as of `read`."""
    return Analysis(read(source), device=device, dialect=dialect, rules=rules)


def findings(source: Source, *, dialect: Dialect | None = None, rules: Iterable["Rule"] | None = None) -> Linted:
    """What is wrong in a capture; errors as of `read`."""
    return Analysis(read(source), dialect=dialect, rules=rules).lint()


def states(source: Source, frame: int | None = None) -> dict[int, State]:
    """The states of the connections that are open after a frame, None: at the end, by number; errors as of `read`."""
    analysis = Analysis(read(source), rules=())
    analysis.read_to(frame)
    return analysis.session.states


@contextmanager
def follow(path: str | PathLike[str], *, rules: Iterable["Rule"] | None = None) -> Iterator[Analysis]:
    """The events of a capture that is still being written, as they come; without an end. Errors as of `read`."""
    with FollowedFile(fspath(path)) as stream:
        yield Analysis(read_capture(stream), rules=rules, live=True)
