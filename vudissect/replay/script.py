"""The part of a capture that is played, and what in it cannot be played."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.protocol.model import Device, Side
from vudissect.session.arbiter import Known
from vudissect.session.session import RECORDS_TO_GUESS_FROM, foresee

_END = 1 << 62
_FAULT = "fault "


@dataclass(frozen=True)
class Script:
    """The records of a capture for one side to play.

    Those before `first` are known but not played; those after `last` do not count. `obstacles` are the messages
    that cannot be played as recorded, one line each; `whole`: it goes to the end of the capture.
    """

    side: Side
    records: tuple[Record, ...]
    first: int
    whole: bool
    obstacles: tuple[str, ...]
    known: Mapping[int, Known]

    @property
    def other(self) -> Side:
        """The side that is not played."""
        return Side.BACK_END if self.side is Side.FRONT_END else Side.FRONT_END

    @property
    def messages(self) -> tuple[Record, ...]:
        """The messages to be played, of both sides."""
        return tuple(
            record for record in self.records if record.kind is RecordKind.MESSAGE and record.frame >= self.first
        )


def script_of(
    records: Iterable[Record], side: Side, first: int = 0, last: int | None = None, device: Device | None = None
) -> Script:
    """The recording of `side` in a capture, from frame `first` to frame `last` (None: to the end).

    The device type is guessed if it is not given.
    """
    everything = tuple(each for record in records if (each := _own(record, side)) is not None)
    end = _END if last is None else last
    wanted = tuple(record for record in everything if record.frame <= end)
    obstacles = tuple(obstacle for record in wanted if record.frame >= first and (obstacle := _obstacle(record, side)))
    known = foresee(islice(everything, RECORDS_TO_GUESS_FROM), device)
    return Script(side, wanted, first, len(wanted) == len(everything), obstacles, known)


def _own(record: Record, side: Side) -> Record | None:
    """The record as it is for one side to play, where a fault was injected; None if it is nothing to play.

    What the other side got is sent to it, and what it really sent is expected of it. A connection that a fault closed
    was closed by neither side: the one that is played does that.
    """
    if record.kind is RecordKind.CONNECTION_CLOSED and str(record.details.get("how", "")).startswith(_FAULT):
        return record._replace(details={**record.details, "by": side.label})
    marks = record.marks
    if not marks & (Mark.WITHHELD | Mark.INJECTED):
        return record
    if marks & (Mark.WITHHELD if record.sender is side else Mark.INJECTED):
        return None
    return record._replace(marks=marks & ~(Mark.WITHHELD | Mark.INJECTED | Mark.NOT_FORWARDED))


def _obstacle(record: Record, side: Side) -> str:
    """Why a record cannot be played as recorded; "" if it can."""
    if record.kind is RecordKind.GAP:
        return f"#{record.frame}: {record.details.get('messages', 'some')} messages are missing here"
    if record.kind is not RecordKind.MESSAGE:
        return ""
    who = "to be sent" if record.sender is side else "to be received"
    if record.marks & Mark.DESCRIPTORS_LOST:
        return f"#{record.frame}: descriptors of this message, {who}, were lost"
    if record.marks & Mark.CUT_SHORT:
        return f"#{record.frame}: this message, {who}, was never complete"
    if len(record.data) < record.length:
        return f"#{record.frame}: only {len(record.data)} of {record.length} bytes of this message, {who}, are known"
    return ""
