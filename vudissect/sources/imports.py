"""Logs to the records of one capture. The format of each log is found by looking at its lines."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vudissect.capture.record import Record, RecordKind
from vudissect.sources.ends import Ends, Item
from vudissect.sources.errors import SourceError
from vudissect.sources.merge import Merger
from vudissect.sources.named import Named, NamedLog
from vudissect.sources.named_records import named_records
from vudissect.sources.strace import Call, Exited, StraceLog
from vudissect.sources.system_calls import SystemCalls
from vudissect.sources.together import Part, have_threads_apart, in_order, joined

_SOURCE = "strace"
_UNKNOWN_FORMAT = (
    "no system calls of strace, and no messages of QEMU's traces, DPDK, libvhost-user or rust-vmm: docs/import.md has "
    "the options with which they write them"
)
STRACE_OPTIONS = ("-f", "-yy", "-xx", "-s", "65536", "-ttt", "-e", "trace=desc,network,process")
"""With these, strace shows all that it can."""
STRACE_COMMAND = f"strace {' '.join(STRACE_OPTIONS)} -o FILE"
"""How to make such a log."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The records of logs, and what there is to know about them."""

    records: Sequence[Record]
    unreadable: int
    """Lines of system calls that could not be read."""
    tracked: bool
    """Whether descriptors could be followed until they are closed."""

    @property
    def messages(self) -> int:
        """How many messages there are."""
        return sum(record.kind is RecordKind.MESSAGE for record in self.records)

    @property
    def cut(self) -> int:
        """Of how many the log shows only the beginning."""
        return sum(record.is_cut for record in self.records)

    @property
    def source(self) -> str:
        """What kind of log it was."""
        return next((str(each.details["source"]) for each in self.records if "source" in each.details), "")

    @property
    def connections(self) -> list[str]:
        """Who has seen each connection: `the front-end`, `the back-end`, or `both sides`."""
        opened = [record for record in self.records if record.kind is RecordKind.CONNECTION_OPENED]
        return [f"the {seen_by}" if (seen_by := each.details.get("seen_by")) else "both sides" for each in opened]


def import_logs(logs: Iterable[tuple[str, Iterable[str]]]) -> Imported:
    """The capture that is in logs, each a name and its lines; `SourceError` if there is none."""
    parts: list[Part] = []
    read: list[StraceLog] = []
    names: list[str] = []
    for name, all_lines in logs:
        lines = [*all_lines]
        log = StraceLog()
        items = [*_items(lines, log, f"{len(parts)}:")]
        if not log.is_log:
            named = _named(lines)
            if not named:
                raise SourceError(f"{name}: {_UNKNOWN_FORMAT}")
            if names:
                raise SourceError(f"{name}: only logs of strace can be joined: import this one alone")
            return Imported(named, 0, True)
        parts.append(Part(items, log.clock))
        read.append(log)
        names.append(name)
    # A log of one thread does not have what the others do with the same descriptors.
    tracked = all(log.closes for log in read) and not have_threads_apart(parts)
    records = _joined_records(parts, tracked=tracked)
    imported = Imported(records, sum(log.unreadable for log in read), tracked)
    if not imported.messages:
        raise SourceError(
            f"{', '.join(names)}: no vhost-user messages in these system calls: trace the whole process from its start "
            f"with {STRACE_COMMAND}"
        )
    return imported


def _joined_records(parts: Sequence[Part], *, tracked: bool) -> Sequence[Record]:
    twins = joined(parts)
    merger = Merger(_SOURCE, tracked=tracked, twins=twins)
    for item in in_order(parts, twins):
        merger.feed(item)
    return [*merger.records()]


def _named(lines: Iterable[str]) -> Sequence[Record]:
    """The records of a log that only names messages; none if it is not one."""
    log = NamedLog()
    messages = [each for line in lines for each in log.feed(line)]
    messages += log.finish()
    return [*named_records(messages, log)] if any(isinstance(each, Named) for each in messages) else []


def _items(lines: Iterable[str], log: StraceLog, label: str) -> Iterator[Item]:
    calls, ends = SystemCalls(label), Ends()
    for each in _calls(lines, log):
        for happening in calls.feed(each):
            yield from ends.feed(happening)


def _calls(lines: Iterable[str], log: StraceLog) -> Iterator[Call | Exited]:
    for line in lines:
        yield from log.feed(line)
    yield from log.finish()
