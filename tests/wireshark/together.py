"""Captures one after the other in one file: tshark takes longer to start than to read any of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.wireshark.everything import save
from vudissect.capture.record import Record


def with_connections_of_their_own(captures: Iterable[Sequence[Record]]) -> Iterator[list[Record]]:
    """The captures with other numbers of connections, so that no two share one."""
    used = 0
    for records in captures:
        yield [record._replace(connection=used + record.connection) for record in records]
        used += 1 + max(record.connection for record in records)


def one_after_the_other(captures: Iterable[Sequence[Record]]) -> Iterator[list[Record]]:
    """The captures with other times, so that each begins when the one before it has ended."""
    end = 0
    for records in captures:
        later = end - records[0].received
        yield [
            record._replace(received=record.received + later, forwarded=record.forwarded + later) for record in records
        ]
        end = later + records[-1].received


def save_together(path: Path, captures: Mapping[str, Sequence[Record]]) -> dict[str, range]:
    """Write all captures to one file; return the frames of each."""
    together: list[Record] = []
    frames: dict[str, range] = {}
    apart = one_after_the_other(with_connections_of_their_own(captures.values()))
    for name, records in zip(captures, apart, strict=True):
        frames[name] = range(len(together) + 1, len(together) + len(records) + 1)
        together += records
    save(path, together)
    return frames
