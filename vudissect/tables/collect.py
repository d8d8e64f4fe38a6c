"""A capture as batches of rows, as its events pass: memory does not depend on its length."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import compress

from vudissect.analysis import Analysis, Judged
from vudissect.capture.errors import CaptureError
from vudissect.capture.record import RecordKind
from vudissect.lint.finding import Finding
from vudissect.session.event import ConnectionEvent, Event
from vudissect.tables.columns import Batch, Row, batch_of
from vudissect.tables.messages import MessageColumns, Run
from vudissect.tables.rows import descriptor_rows, fault_rows, finding_rows, fitting
from vudissect.tables.schema import DESCRIPTORS, FAULTS, FINDINGS, MESSAGES, RINGS, SESSIONS, TABLES, Table
from vudissect.tables.sessions import Tally

ROWS_IN_A_BATCH = 16_384
# Of messages, which can be pictures.
_BYTES_IN_A_BATCH = 2 << 20

_LARGEST_TIME = (1 << 63) - 1


# To enter fewer messages at once takes longer; more are no longer in the processor's cache.
_FEW = 64

# What the linter finds is in these.
_JUDGED = {SESSIONS, FINDINGS}
_NOTHING = "there are no vhost-user messages in this capture"


class Tables:
    """The tables of one capture, or some of them. Iterate over `batches` once, then query the rest."""

    def __init__(self, file: str, wanted: Collection[Table] = TABLES) -> None:
        self.problem = ""
        """Why the capture could not be read to its end, or that it has no messages."""
        self.counts = dict.fromkeys(TABLES, 0)
        """The number of rows of each table."""
        self.withheld = 0
        """The number of further findings: repetitions are counted, not listed."""
        self.rules = None if _JUDGED & set(wanted) else ()
        """The rules that the analysis needs: all (None) or none."""
        self.started = 0
        """When the first connection began (ns since the epoch); 0 before."""
        self.programs = ("", "")
        """The names of its front-end and back-end; "" is unknown."""
        self._file = file
        self._wanted = frozenset(wanted)
        self._wants_messages = MESSAGES in wanted
        self._rows: dict[Table, list[Row]] = {table: [] for table in TABLES if table is not MESSAGES}
        self._open: dict[int, Tally] = {}
        self._messages = MessageColumns(file)
        self._waiting: list[Judged] = []

    def batches(self, analysis: Analysis) -> Iterator[Batch]:
        """All rows, a batch at a time. `CaptureError` if there is nothing that can be read."""
        waiting = self._waiting
        last: Event | None = None
        try:
            for run in analysis.runs():
                last, findings = run[-1]
                if last.message is None:
                    waiting += run[:-1]
                    self._add_messages()
                    self._add_other(last, findings)
                else:
                    waiting += run
                    if len(waiting) < _FEW:
                        continue
                    self._add_messages()
                yield from self._batches_of(ROWS_IN_A_BATCH)
        except CaptureError as error:
            if last is None:
                raise
            self.problem = str(error)
        if last is None:
            self.problem = _NOTHING
        else:
            self._add_messages()
            self._finish(analysis, last)
        yield from self._batches_of(1)

    def _add_messages(self) -> None:
        """Enter the messages that wait for it."""
        if not self._waiting:
            return
        events, found = zip(*self._waiting, strict=True)
        self._waiting.clear()
        run = Run.of(events)
        self._count(run)
        marked = run.is_marked
        if any(found):
            for event, findings in zip(events, found, strict=True):
                self._find(findings, event.record.time)
        if marked:
            # The row of a message that is repeated from an earlier file is in that file.
            own = tuple(event for event in events if not event.record.is_earlier)
            if not own:
                return
            run = Run.of(own)
        if self._wants_messages:
            self._messages.add(run)
        if any(run.descriptors):
            for event in compress(run.events, run.descriptors):
                self._put(DESCRIPTORS, descriptor_rows(self._file, event))
        if marked or any(run.problems):
            for event in run.events:
                if event.record.marks or event.message.problem:
                    self._put(FAULTS, fault_rows(self._file, event))

    def _count(self, run: Run) -> None:
        """Enter messages in what is collected about their connections."""
        number = run.connections[0]
        if run.connections.count(number) == len(run.connections):
            counts, lasts = {number: len(run.connections)}, {number: run.events[-1]}
        else:
            counts, lasts = Counter(run.connections), dict(zip(run.connections, run.events, strict=True))
        for number, event in lasts.items():
            tally = self._open.get(number) or self._begin(run.events[run.connections.index(number)])
            tally.last = event
            tally.messages += counts[number]
        if any(run.descriptors):
            for event in compress(run.events, run.descriptors):
                self._open[event.record.connection].descriptors += len(event.descriptors)

    def _add_other(self, event: ConnectionEvent, findings: Sequence[Finding]) -> None:
        record = event.record
        self._put(FAULTS, fault_rows(self._file, event))
        tally = self._open.get(record.connection)
        if tally is None and record.connection:
            tally = self._begin(event)
        if tally is not None:
            tally.add(event)
        self._find(findings, record.time)
        if record.kind is RecordKind.CONNECTION_CLOSED and tally is not None:
            self._end(tally, len(event.unanswered))
            del self._open[record.connection]

    def _begin(self, event: Event) -> Tally:
        if not self.started:
            self.started, self.programs = event.record.time, event.record.peer_names
        tally = self._open[event.record.connection] = Tally(event)
        return tally

    def _find(self, findings: Sequence[Finding], time: int) -> None:
        self._put(FINDINGS, finding_rows(self._file, findings, time))
        for finding in findings:
            if finding.connection in self._open:
                self._open[finding.connection].found(finding)

    def _end(self, tally: Tally, unanswered: int) -> None:
        self._put(SESSIONS, [tally.session_row(self._file, unanswered)])
        self._put(RINGS, tally.ring_rows(self._file))

    def _finish(self, analysis: Analysis, last: Event) -> None:
        """Enter what is only known at the end."""
        self._find(analysis.finish(), last.record.time)
        self.withheld = sum(analysis.withheld.values())
        for number, tally in self._open.items():
            owed = analysis.session.owed(number)
            self._end(tally, len(owed))
        self._open.clear()
        if analysis.records.truncated is not None:
            self.problem = str(analysis.records.truncated)
        elif not analysis.records.has_messages:
            self.problem = _NOTHING

    def _put(self, table: Table, rows: Iterable[Row]) -> None:
        if table in self._wanted:
            self._rows[table] += fitting(table, rows)

    def _batches_of(self, least: int) -> Iterator[Batch]:
        """The batches that have at least so many rows."""
        if len(self._messages) >= least or self._messages.bytes >= _BYTES_IN_A_BATCH:
            yield self._counted(self._messages.take())
        for table, rows in self._rows.items():
            if len(rows) >= least:
                yield self._counted(batch_of(table, rows))
                rows.clear()

    def _counted(self, batch: Batch) -> Batch:
        self.counts[batch.table] += batch.size
        return batch
