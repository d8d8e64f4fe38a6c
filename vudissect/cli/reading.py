"""Reading a capture as the commands do: what was cut off is read up to the cut, and one may look ahead."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from vudissect.capture.errors import CaptureError, TruncatedCapture
from vudissect.capture.files import ByteSource
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Record, RecordKind
from vudissect.cli.errors import CANNOT, FINDINGS, warn
from vudissect.cli.output import ReaderLeftError
from vudissect.session.session import RECORDS_TO_GUESS_FROM, Session, foresee
from vudissect.spec.dialects.dialect import Dialect
from vudissect.spec.model import Device

_NOTHING = "there are no vhost-user messages in it: nothing to judge"


class Reading:
    """The records of the capture `file`, which may have been cut off, as a crash leaves it.

    An exit status of 0 means that there was something to judge and that it was all there: to be asked for after the
    last record.
    """

    def __init__(self, file: str, stream: ByteSource) -> None:
        self.truncated: TruncatedCapture | None = None
        self.has_messages = False
        self._file = file
        self._records = read_capture(stream)

    def __iter__(self) -> Iterator[Record]:
        message = RecordKind.MESSAGE
        read: Record | None = None
        try:
            for read in self._records:
                if read.kind is message:
                    self.has_messages = True
                yield read
        except TruncatedCapture as error:
            if read is None:
                raise
            self.truncated = error

    @property
    def complaints(self) -> list[str]:
        """What is wrong with the capture as a whole, one line each."""
        truncated = [str(self.truncated)] if self.truncated is not None else []
        return truncated + ([] if self.has_messages else [_NOTHING])

    def verdict(self) -> int:
        """The exit status, with a line on standard error for each complaint: 2 without messages, 1 without the end."""
        with suppress(ReaderLeftError):
            sys.stdout.flush()
        for complaint in self.complaints:
            warn(f"{self._file}: {complaint}")
        return CANNOT if not self.has_messages else FINDINGS if self.truncated is not None else 0

    def conclude(self) -> None:
        """Exit with the verdict, unless all is well."""
        if status := self.verdict():
            raise SystemExit(status)


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
