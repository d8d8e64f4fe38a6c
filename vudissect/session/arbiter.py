"""The dialect in which each connection is read, according to its messages.

Theory of operation. A connection begins in the dialect that a look ahead has found, or in upstream. Each record is
shown to the connection's detector. When the detector changes its mind, earlier messages may have been misread, so
the records of a young connection are kept, and `judge` returns them to be folded again from the beginning. An old
connection (`Watches` has the limits) keeps no records; its detector sees only messages that cannot be decoded,
and a change of mind takes effect from that message on.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from vudissect.capture.record import Record
from vudissect.protocol.table import Protocol
from vudissect.session.device import DeviceGuess
from vudissect.session.dialect import Detector, Verdict
from vudissect.session.watch import Watches


class Known(NamedTuple):
    """What a look ahead has found out about a connection."""

    guess: DeviceGuess
    detector: Detector


NOTHING_KNOWN: Mapping[int, Known] = MappingProxyType({})


class Judgement(NamedTuple):
    """Another dialect, and the records of the connection so far, which must be read again in it.

    `again` is None if they are no longer kept: then the dialect takes effect from here on.
    """

    protocol: Protocol
    again: Sequence[Record] | None


class Arbiter:
    """Decides the dialect of every connection."""

    def __init__(self, known: Mapping[int, Known]) -> None:
        self._known = known
        self._watches = Watches()

    def begin(self, number: int, default: Protocol) -> Protocol:
        """Start watching a connection; return the dialect to read it in."""
        known = self._known.get(number)
        self._watches.begin(number, known.detector if known is not None else Detector())
        return known.detector.dialect.protocol if known is not None else default

    def judge(self, record: Record, protocol: Protocol) -> Judgement | None:
        """Show the detector a record that was read in `protocol`; return another dialect if it is evidence of one."""
        watch = self._watches.get(record.connection)
        if watch is None:
            return None
        judgement = None
        if self._watches.see(watch, record) and watch.detector.dialect.protocol is not protocol:
            judgement = Judgement(watch.detector.dialect.protocol, tuple(watch.records) if watch.keeps else None)
        if watch.keeps:
            self._watches.keep(watch, record)
        return judgement

    def is_watched(self, number: int) -> bool:
        """Whether every record of a connection must be shown, not only those that cannot be decoded."""
        watch = self._watches.get(number)
        return watch is not None and watch.keeps

    def end(self, number: int) -> None:
        """Stop watching a connection, which was closed."""
        self._watches.end(number)

    def verdict(self, number: int) -> Verdict | None:
        """The verdict on the dialect of a connection; None if it is not watched."""
        watch = self._watches.get(number)
        return watch.detector.verdict if watch is not None else None
