"""The one pipeline: records in, events with their findings out.

Every command, test and library user reads a capture through an `Analysis`, so that all of them see the same: a
truncated capture is read up to the cut, the device and the dialect are found by looking ahead, or on the way in a live
capture, and the rules are checked for every event.
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
"""An event and its findings."""


# Few enough to fit in the processor's cache.
_MOST_IN_A_RUN = 64


class Linted(NamedTuple):
    """The findings of a capture, how many more were withheld per rule, and how many messages it has."""

    findings: list["Finding"]
    withheld: dict[str, int]
    messages: int


class UpToTheCut:
    """The records of a capture that may have been cut off, for example by a crash, up to the cut."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.truncated: TruncatedCapture | None = None
        """Where the capture was cut off, once reading got there."""
        self.has_messages = False
        """Whether there was a message: without any there is nothing to check."""
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
            yield from records  # nothing left to detect
        except TruncatedCapture as error:
            if record is None:
                raise
            self.truncated = error


class Analysis:
    """The events of a capture with their findings. Iterate over it once, then query the rest.

    `device` and `dialect` are detected if not given. `rules` are all of them if None; an empty sequence is quicker.
    `live` records are shown as they arrive, without looking ahead.
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
        """What is known about the capture as a whole."""
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
        return chain.from_iterable(self.runs())

    def runs(self) -> Iterator[Sequence[Judged]]:
        """The events of `ahead`, some at a time, of which all but the last are messages."""
        records = chain.from_iterable(_several(self._records))
        if self._linter is None:
            return ((judged,) for judged in zip(self.session.events(records), repeat(()), strict=False))
        return self._linter.runs(records)

    def finish(self) -> list["Finding"]:
        """The findings at the end of the capture, on connections that are still open."""
        return self._linter.finish() if self._linter is not None else []

    def lint(self, judged: Iterable[Judged] | None = None) -> Linted:
        """All findings from here to the end of the capture; `judged` is `ahead()` where somebody else watches it."""
        findings: list[Finding] = []
        messages = 0
        for event, found in self.ahead() if judged is None else judged:
            if found:
                findings += found
            messages += event.message is not None
        return Linted(findings + self.finish(), self.withheld, messages)

    def read_to(self, frame: int | None = None) -> int:
        """Read up to a frame (None: to the end), and return the number of the frame that was reached.

        `session` has the state at that point.
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
        """Whether everything has been read."""
        record = next(self._records, None)
        if record is not None:
            self._records = chain((record,), self._records)
        return record is None

    def skip(self) -> None:
        """Read the rest and discard it: only the end shows whether the capture is complete."""
        for _ in self._records:
            pass

    @property
    def withheld(self) -> dict[str, int]:
        """The number of further findings by rule: repetitions are counted, not listed."""
        return self._linter.withheld if self._linter is not None else {}


def _linter(session: Session, rules: Iterable["Rule"] | None) -> "Linter | None":
    # The rules take longest to import.
    wanted = None if rules is None else tuple(rules)
    if wanted == ():
        return None
    from vudissect.lint.linter import Linter

    return Linter(session) if wanted is None else Linter(session, wanted)


def _look_ahead(records: Iterator[Record]) -> tuple[list[Record], Iterator[Record]]:
    """The first records, and an iterator over all records; an error is raised again at its place."""
    first: list[Record] = []
    try:
        first.extend(islice(records, RECORDS_TO_GUESS_FROM))
    except CaptureError as error:
        return first, chain(first, _failing(error))
    return first, chain(first, records)


def _several(records: Iterator[Record]) -> Iterator[list[Record]]:
    """The records, some at a time; an error is raised at its place."""
    some: list[Record] = []
    try:
        while True:
            some.extend(islice(records, _MOST_IN_A_RUN))
            if not some:
                return
            yield some
            some = []
    except CaptureError:
        yield some
        raise


def _failing(error: CaptureError) -> Iterator[Record]:
    raise error
    yield


def in_runs(judged: Iterable[Judged]) -> Iterator[Judged]:
    """The same events, checked several at a time before the first is yielded: this takes a quarter less time, because
    the code stays in the processor's cache.

    It never reads past a change of dialect: the session still has the reasons for it.
    """
    run: list[Judged] = []
    protocol = UPSTREAM
    try:
        for each in judged:
            run.append(each)
            read_in = each[0].after.protocol
            if len(run) == _MOST_IN_A_RUN or read_in is not protocol:
                protocol = read_in
                yield from run
                run.clear()
    except Exception:
        yield from run
        raise
    yield from run


Source = str | PathLike[str] | Iterable[Record]
"""A capture: the path of a file (compressed or not, `-` for standard input), or records."""


def read(source: Source) -> Iterator[Record]:
    """The records of a capture. `OSError` if it cannot be opened, `CaptureError` if it cannot be read."""
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
    """The events of a capture, each with its findings; errors as for `read`."""
    return Analysis(read(source), device=device, dialect=dialect, rules=rules)


def findings(
    source: Source,
    *,
    device: Device | None = None,
    dialect: Dialect | None = None,
    rules: Iterable["Rule"] | None = None,
) -> Linted:
    """What is wrong in a capture; errors as for `read`."""
    return Analysis(read(source), device=device, dialect=dialect, rules=rules).lint()


def states(source: Source, frame: int | None = None, *, device: Device | None = None) -> dict[int, State]:
    """The states of the connections that are open after a frame (None: at the end), by number; errors as for `read`."""
    analysis = Analysis(read(source), device=device, rules=())
    analysis.read_to(frame)
    return analysis.session.states


@contextmanager
def follow(
    path: str | PathLike[str], *, device: Device | None = None, rules: Iterable["Rule"] | None = None
) -> Iterator[Analysis]:
    """The events of a capture that is still being written, as they arrive, without an end. Errors as for `read`."""
    with FollowedFile(fspath(path)) as stream:
        yield Analysis(read_capture(stream), device=device, rules=rules, live=True)
