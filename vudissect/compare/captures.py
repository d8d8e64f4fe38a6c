"""Compares two captures: connections of the same device, or else in the order in which they began."""

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
    """A connection of each capture (0: it has no such connection), the programs of both, and what is different.

    `devices` are the ids of their devices, "" if unknown.
    """

    first: int
    second: int
    programs: tuple[tuple[str, str], tuple[str, str]]
    compared: Compared
    devices: tuple[str, str] = ("", "")

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
    parts: list[Part] = []
    for before, after in _pairs(ours, theirs):
        if before is not None and after is not None:
            compared = compare_connections(before, after, Policy())
        else:
            what = What.MISSING if after is None else What.ADDED
            lone = Distinction(what, Place.PROGRAM, (), (), "connection", None, None, (), (), number=1)
            compared = Compared((lone,), ())
        sides = [_Known.of(each) for each in (before, after)]
        (first, programs, device), (second, other_programs, other_device) = sides
        parts.append(Part(first, second, (programs, other_programs), compared, (device, other_device)))
    return parts


def _pairs(ours: Sequence[Exchanges], theirs: Sequence[Exchanges]) -> list[tuple[Exchanges | None, Exchanges | None]]:
    """Connections of the same device are pairs, in their order; others in the order of the captures."""
    left = list(theirs)
    known = {_device(each) for each in ours} & {_device(each) for each in theirs}
    pairs: list[tuple[Exchanges | None, Exchanges | None]] = []
    for before in ours:
        device = _device(before)
        same = (each for each in left if _device(each) == device or not {device, _device(each)} & known)
        after = next(same, None)
        if after is not None:
            left.remove(after)
        pairs.append((before, after))
    pairs.sort(key=lambda pair: pair[1] is None)
    return [*pairs, *((None, after) for after in left)]


class _Known(NamedTuple):
    """What is known of one side of a part."""

    number: int = 0
    programs: tuple[str, str] = ("", "")
    device: str = ""

    @classmethod
    def of(cls, exchanges: Exchanges | None) -> "_Known":
        """That of a connection, or of none."""
        if exchanges is None:
            return cls()
        return cls(exchanges.first.record.connection, _programs(exchanges), _device(exchanges))


def _device(exchanges: Exchanges) -> str:
    return exchanges.last.after.device_id


def _programs(exchanges: Exchanges) -> tuple[str, str]:
    record = exchanges.first.record
    if record.kind is RecordKind.CONNECTION_OPENED:
        return record.peer_names
    return exchanges.last.after.programs
