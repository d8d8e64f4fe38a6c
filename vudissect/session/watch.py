"""Which connections are looked into for their dialect, and what is kept of them for as long as that takes."""

from collections import OrderedDict

from vudissect.capture.record import Record
from vudissect.session.dialect import Detector

# What is decisive of the dialect is said early; beyond this only messages that make no sense are looked at.
_MOST_RECORDS = 512

# Bytes that may be kept of one connection and of all of them: a GPU sends megabytes, and a capture may have any number
# of connections that never close. What a record and a sighting take beside their bytes is about as much as this.
_MOST_OF_ONE = 8 << 20
_MOST_OF_ALL = 64 << 20
_OVERHEAD = 1024


class Watch:
    """A connection whose dialect is still an open question: the evidence, and its records while it `keeps` them."""

    __slots__ = ("detector", "keeps", "records", "weight")

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.records: list[Record] = []
        self.weight = 0
        self.keeps = True


class Watches:
    """The watched connections, by number, in the order in which they began.

    When there is no more room the first of them is let go: it stays in the dialect that it is in.
    """

    def __init__(self) -> None:
        self._watches: OrderedDict[int, Watch] = OrderedDict()
        self._weight = 0

    def __len__(self) -> int:
        return len(self._watches)

    def get(self, number: int) -> Watch | None:
        """The watch of a connection; None if it is not watched, or no longer."""
        return self._watches.get(number)

    def begin(self, number: int, detector: Detector) -> None:
        """Watch a connection, if that is not done already."""
        if number not in self._watches:
            self._watches[number] = Watch(detector)

    def end(self, number: int) -> None:
        """A connection is closed, or let go."""
        watch = self._watches.pop(number, None)
        if watch is not None:
            self._forget(watch)

    def see(self, watch: Watch, record: Record) -> bool:
        """Take note of a record as evidence; whether it was of a new kind."""
        news = watch.detector.see(record)
        if news:
            self._weigh(watch, record)
        return news

    def keep(self, watch: Watch, record: Record) -> None:
        """Keep a record, unless there is no more room: then none is kept any longer."""
        watch.records.append(record)
        self._weigh(watch, record)
        if len(watch.records) == _MOST_RECORDS or watch.weight > _MOST_OF_ONE:
            self._forget(watch)
        while self._weight > _MOST_OF_ALL and len(self._watches) > 1:
            self.end(next(iter(self._watches)))

    def _weigh(self, watch: Watch, record: Record) -> None:
        weight = _OVERHEAD + len(record.data)
        watch.weight += weight
        self._weight += weight

    def _forget(self, watch: Watch) -> None:
        watch.keeps = False
        watch.records.clear()
        self._weight -= watch.weight
        watch.weight = 0
