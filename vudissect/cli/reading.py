"""Reading a capture as the commands do: what was cut off is read as far as it goes, and one may look ahead."""

import sys
from collections.abc import Iterable, Iterator
from itertools import islice

from vudissect.capture.errors import CaptureError, TruncatedCapture
from vudissect.capture.record import Record
from vudissect.session.session import RECORDS_TO_GUESS_FROM, Session, foresee
from vudissect.spec.dialects.dialect import Dialect
from vudissect.spec.model import Device


def until_truncated(records: Iterable[Record]) -> Iterator[Record]:
    """The records of a capture that may have been cut off, as a crash leaves it: all that is there is worth showing."""
    any_read = False
    try:
        for record in records:
            any_read = True
            yield record
    except TruncatedCapture as error:
        if not any_read:
            raise
        sys.stdout.flush()
        print(f"vudissect: {error}", file=sys.stderr)


def look_ahead(records: Iterator[Record]) -> tuple[list[Record], Iterator[Record]]:
    """The first records, and all of them over again; what ends them too early does so in its place."""
    first: list[Record] = []
    failure: CaptureError | None = None
    try:
        first.extend(islice(records, RECORDS_TO_GUESS_FROM))
    except CaptureError as error:
        failure = error

    def again() -> Iterator[Record]:
        yield from first
        if failure is not None:
            raise failure
        yield from records

    return first, again()


def session_for(
    records: Iterator[Record], device: Device | None = None, dialect: Dialect | None = None, *, live: bool = False
) -> tuple[Session, Iterator[Record]]:
    """A session for these records, and the records over again.

    Device type and dialect are as told, or else found by looking ahead; in a live capture they turn up on the way.
    """
    if dialect is not None:
        return Session(device, protocol=dialect.protocol), records
    if live:
        return Session(device, detect=True), records
    first, records = look_ahead(records)
    return Session(device, foresee(first), detect=True), records
