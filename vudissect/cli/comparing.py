"""Two captures that are compared, or two connections of one: `FILE` or `FILE@CONNECTION`."""

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from vudissect.analysis import Analysis, Judged
from vudissect.capture.reader import read_capture
from vudissect.cli.errors import FINDINGS, fail
from vudissect.cli.filters import narrowed
from vudissect.cli.progress import opened
from vudissect.cli.reading import verdict
from vudissect.compare.align import TooLongError
from vudissect.compare.captures import Part, by_connection, compare_captures
from vudissect.compare.exchange import Exchanges
from vudissect.protocol.model import Device
from vudissect.render.format import About
from vudissect.summary.collect import Collector
from vudissect.summary.words import missing_texts

if TYPE_CHECKING:
    from vudissect.filter import Filter

# They are kept in memory.
_MOST_EXCHANGES = 100_000


class Both(NamedTuple):
    """Pairs of connections, what is to be known about the captures, and the exit status for what was read."""

    parts: Sequence[Part]
    about: Sequence[About]
    status: int


def compare_files(first: str, second: str, device: Device | None, wanted: "Filter | None" = None) -> Both:
    """Compare what a filter matches; exit 2 if one cannot be read, or they are too long."""
    if "-" == first == second:
        fail("-: standard input can be only one of the two captures")
    try:
        before, after = _read(first, device, wanted), _read(second, device, wanted)
        if wanted is not None and not before.connections and not after.connections:
            fail(f"nothing matches {wanted.text} in either capture")
        parts = compare_captures(before.connections, after.connections)
    except TooLongError as error:
        fail(f"{error}, too many to be aligned: compare a part with --filter, or a connection with FILE@NUMBER")
    return Both(parts, [*before.about, *after.about], max(before.status, after.status))


class _Read(NamedTuple):
    """The connections of a capture, what is to be known about it, and the exit status for it."""

    connections: list[Exchanges]
    about: list[About]
    status: int


def _read(name: str, device: Device | None, wanted: "Filter | None") -> _Read:
    """What a filter matches of a capture, or of one of its connections."""
    file, connection = _split(name)
    collector = Collector()
    rules = None if wanted is not None and wanted.judges else ()
    with opened(file) as stream:
        analysis = Analysis(read_capture(stream), device=device, rules=rules)
        watched = collector.watch(analysis)
        judged: Iterable[Judged] = watched if wanted is None else narrowed(wanted, watched)
        selected = (event for event, _ in judged if connection in (None, event.record.connection))
        connections = by_connection(selected, _MOST_EXCHANGES)
    status = verdict(file, analysis.records)
    if status > FINDINGS:
        raise SystemExit(status)
    if connection is not None and not connections and wanted is None:
        fail(f"{file}: there is no connection {connection}")
    cut = str(analysis.records.truncated) if analysis.records.truncated is not None else ""
    summary = collector.finish(analysis.session, analysis.finish(), file, cut=cut)
    about = [About(file, text) for text in missing_texts(summary.missing)]
    if faults := summary.faults.text:
        about.append(About(file, faults, injected=True))
    return _Read(connections, about, status)


def _split(name: str) -> tuple[str, int | None]:
    """The file and the number of the connection in `FILE@NUMBER`; a file of this whole name takes precedence."""
    file, at, number = name.rpartition("@")
    if not at or not number.isdecimal() or os.path.exists(name):
        return name, None
    return file, int(number)
