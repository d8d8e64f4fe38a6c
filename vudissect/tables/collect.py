"""A capture as batches of rows, as its events pass: memory does not depend on its length."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from vudissect.analysis import Analysis
from vudissect.capture.errors import CaptureError
from vudissect.capture.record import RecordKind
from vudissect.lint.finding import Finding
from vudissect.session.event import ConnectionEvent, Event, MessageEvent
from vudissect.tables.rows import MessageRows, Row, descriptor_rows, fault_rows, finding_rows, fitting
from vudissect.tables.schema import DESCRIPTORS, FAULTS, FINDINGS, MESSAGES, RINGS, SESSIONS, TABLES, Table
from vudissect.tables.sessions import Tally

ROWS_IN_A_BATCH = 16_384

_LARGEST_TIME = (1 << 63) - 1


class Batch(NamedTuple):
    """Rows of a table, in the order of its columns."""

    table: Table
    rows: list[Row]


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
        self._rows: dict[Table, list[Row]] = {table: [] for table in TABLES}
        self._open: dict[int, Tally] = {}
        self._messages = MessageRows(file)

    def batches(self, analysis: Analysis) -> Iterator[Batch]:
        """All rows, a batch at a time. `CaptureError` if there is nothing that can be read."""
        messages, descriptors = self._rows[MESSAGES], self._rows[DESCRIPTORS]
        last: Event | None = None
        try:
            for event, findings in analysis.ahead():
                last = event
                if event.message is None:
                    self._add_other(event, findings)
                else:
                    self._add_message(event)
                    if findings:
                        self._find(findings, event.record.time)
                    if len(messages) < ROWS_IN_A_BATCH and len(descriptors) < ROWS_IN_A_BATCH:
                        continue
                yield from self._batches_of(ROWS_IN_A_BATCH)
        except CaptureError as error:
            if last is None:
                raise
            self.problem = str(error)
        if last is None:
            self.problem = _NOTHING
        else:
            self._finish(analysis, last)
        yield from self._batches_of(1)

    def _add_message(self, event: MessageEvent) -> None:
        record = event.record
        tally = self._open.get(record.connection) or self._begin(event)
        tally.last = event
        tally.messages += 1
        if event.descriptors:
            tally.descriptors += len(record.descriptors)
        marks = record.marks
        if marks and record.is_earlier:
            return  # its row is that of an earlier file
        if self._wants_messages:
            row = self._messages.row(event)
            if (record.time | record.received | record.forwarded) > _LARGEST_TIME:
                (row,) = fitting(MESSAGES, [row])
            self._rows[MESSAGES].append(row)
        if event.descriptors:
            self._put(DESCRIPTORS, descriptor_rows(self._file, event))
        if marks or event.message.problem:
            self._put(FAULTS, fault_rows(self._file, event))

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
        for table, rows in self._rows.items():
            if len(rows) >= least:
                self.counts[table] += len(rows)
                yield Batch(table, rows.copy())
                rows.clear()
