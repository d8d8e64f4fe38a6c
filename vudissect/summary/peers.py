"""Which programs are connected, and about which device: of one connection, or of all in a capture."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from vudissect.capture.record import NO_DETAILS, Record, RecordKind
from vudissect.lint.finding import Finding
from vudissect.protocol.bits import set_bits
from vudissect.protocol.model import Side
from vudissect.session.event import Event
from vudissect.session.session import Session
from vudissect.session.state import State
from vudissect.summary.values import Peer


class Pair(NamedTuple):
    """Two programs and their device; "" for what is unknown.

    `front_end_since` and `back_end_since` are the releases that introduced the newest protocol feature that they use:
    they are of these or newer. `device` and `dialect` are names.
    """

    front_end: str
    front_end_since: str
    back_end: str
    back_end_since: str
    device: str
    dialect: str


UNKNOWN_PAIR = Pair("", "", "", "", "", "")


def peer_of(side: Side, opening: Record | None, state: State) -> Peer:
    """One side of a connection, from the record that opened it (None if the capture does not have it)."""
    details = opening.details if opening is not None else NO_DETAILS
    prefix = side.label.replace("-", "_")
    word = state.protocol_features.acked if side is Side.FRONT_END else state.protocol_features.offered
    known = state.protocol.protocol_features.by_number
    bits = [known[number] for number in set_bits(word or 0) if number in known and known[number].since.numbers]
    newest = max(bits, key=lambda bit: (bit.since.numbers, bit.number), default=None)
    pid = details.get(f"{prefix}_pid", 0)
    return Peer(
        side,
        str(details.get(f"{prefix}_command", "")),
        str(details.get(f"{prefix}_executable", "")),
        pid if isinstance(pid, int) else 0,
        newest.since if newest is not None else None,
        newest.name if newest is not None else "",
    )


class Pairs:
    """The pair of each connection of a capture. Iterate over `watch` of all events, then ask for `finish`."""

    def __init__(self) -> None:
        self._openings: dict[int, Record] = {}
        self._ended: dict[int, Pair] = {}

    def watch(self, judged: Iterable[tuple[Event, Sequence[Finding]]]) -> Iterator[tuple[Event, Sequence[Finding]]]:
        """The same events and findings."""
        for event, findings in judged:
            if event.message is None:
                number = event.record.connection
                if event.record.kind is RecordKind.CONNECTION_OPENED:
                    self._openings[number] = event.record
                elif event.record.kind is RecordKind.CONNECTION_CLOSED:
                    self._ended[number] = _pair(self._openings.pop(number, None), event.before)
            yield event, findings

    def finish(self, session: Session) -> Mapping[int, Pair]:
        """The pair of each connection, by its number, after the last event."""
        still_open = {number: _pair(self._openings.get(number), state) for number, state in session.states.items()}
        return self._ended | still_open


def _pair(opening: Record | None, state: State) -> Pair:
    front_end, back_end = (peer_of(side, opening, state) for side in (Side.FRONT_END, Side.BACK_END))
    device = state.guess.device
    return Pair(
        front_end.name,
        front_end.version,
        back_end.name,
        back_end.version,
        device.name if device is not None else "",
        state.protocol.key,
    )
