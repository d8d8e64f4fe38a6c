"""Compares two captures, connection by connection in the order in which they began."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from vudissect.capture.record import RecordKind
from vudissect.compare.align import TooLongError
from vudissect.compare.distinction import Compared, Distinction, Place, What
from vudissect.compare.exchange import Exchanges
from vudissect.compare.policy import Policy
from vudissect.compare.sessions import compare_connections
from vudissect.session.event import Event


class Part(NamedTuple):
    """A connection of each capture (0: it has no such connection), the programs of both, and what is different."""

    first: int
    second: int
    programs: tuple[tuple[str, str], tuple[str, str]]
    compared: Compared

    def narrowed(self, places: Collection[Place]) -> "Part":
        """Only the differences about these; what causes one of them may be left out."""
        kept = tuple(each for each in self.compared.distinctions if each.place in places)
        return self._replace(compared=self.compared._replace(distinctions=kept))


def by_connection(events: Iterable[Event], most: int) -> list[Exchanges]:
    """The connections, in the order in which they began; `TooLongError` if they have more than `most` exchanges."""
    found: list[Exchanges] = []
    current: dict[int, Exchanges] = {}
    kept = 0
    for event in events:
        number = event.record.connection
        if not number:
            continue  # a gap in the capture as a whole
        known = current.get(number)
        if known is None or event.record.kind is RecordKind.CONNECTION_OPENED:
            known = current[number] = Exchanges(event)
            found.append(known)
        kept += known.add(event)
        if kept > most:
            raise TooLongError(f"more than {most} exchanges")
    return found


def compare_captures(ours: Sequence[Exchanges], theirs: Sequence[Exchanges]) -> list[Part]:
    """What is different in each pair of connections; `TooLongError` if too much is."""
    parts = [
        Part(
            _number(before),
            _number(after),
            (_programs(before), _programs(after)),
            compare_connections(before, after, Policy()),
        )
        for before, after in zip(ours, theirs, strict=False)
    ]
    for more, what in ((ours[len(theirs) :], What.MISSING), (theirs[len(ours) :], What.ADDED)):
        for exchanges in more:
            number, programs = _number(exchanges), _programs(exchanges)
            lone = Distinction(what, Place.PROGRAM, (), (), "connection", None, None, (), (), number=1)
            compared = Compared((lone,), ())
            if what is What.MISSING:
                parts.append(Part(number, 0, (programs, ("", "")), compared))
            else:
                parts.append(Part(0, number, (("", ""), programs), compared))
    return parts


def _number(exchanges: Exchanges) -> int:
    return exchanges.first.record.connection


def _programs(exchanges: Exchanges) -> tuple[str, str]:
    record = exchanges.first.record
    if record.kind is RecordKind.CONNECTION_OPENED:
        return record.peer_names
    return exchanges.last.after.programs
