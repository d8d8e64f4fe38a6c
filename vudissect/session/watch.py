"""The connections whose dialect is still being examined, and what is kept of them meanwhile."""

from collections import OrderedDict

from vudissect.capture.record import Record
from vudissect.session.dialect import Detector

# Decisive evidence of the dialect comes early; after this, only messages that cannot be decoded are examined.
_MOST_RECORDS = 512

# Bytes that may be kept for one connection and for all of them: a GPU sends megabytes, and a capture may have any
# number of connections that never close. The overhead of a record and a sighting is about as much as this.
_MOST_OF_ONE = 8 << 20
_MOST_OF_ALL = 64 << 20
_OVERHEAD = 1024


class Watch:
    """A connection whose dialect is still open: the evidence, and its records while it `keeps` them."""

    __slots__ = ("detector", "keeps", "records", "weight")

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.records: list[Record] = []
        self.weight = 0
        self.keeps = True


class Watches:
    """The watched connections, by number, in the order in which they began.

    When there is no more room, the oldest is dropped: it stays in its current dialect.
    """

    def __init__(self) -> None:
        self._watches: OrderedDict[int, Watch] = OrderedDict()
        self._weight = 0

    def __len__(self) -> int:
        return len(self._watches)

    def get(self, number: int) -> Watch | None:
        """The watch of a connection; None if it is not or no longer watched."""
        return self._watches.get(number)

    def begin(self, number: int, detector: Detector) -> None:
        """Watch a connection, unless it is watched already."""
        if number not in self._watches:
            self._watches[number] = Watch(detector)

    def end(self, number: int) -> None:
        """A connection was closed or dropped."""
        watch = self._watches.pop(number, None)
        if watch is not None:
            self._forget(watch)

    def see(self, watch: Watch, record: Record) -> bool:
        """Examine a record as evidence; return whether it was of a new kind."""
        news = watch.detector.see(record)
        if news:
            self._weigh(watch, record)
        return news

    def keep(self, watch: Watch, record: Record) -> None:
        """Keep a record, unless there is no more room: then drop all records."""
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
