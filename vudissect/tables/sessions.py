"""What is collected about a connection while it lasts, for its rows in `sessions` and `rings`."""

from collections.abc import Iterator

from vudissect.capture.observation import observation_of
from vudissect.capture.record import NO_DETAILS, Record, RecordKind
from vudissect.lint.finding import Finding, Severity
from vudissect.render.units import unicode
from vudissect.session.event import ConnectionEvent, Event
from vudissect.session.rings import Enabled, Started
from vudissect.session.state import State
from vudissect.tables.columns import Row

# As many rings as are looked at of a connection; more than any device has.
_MOST_RINGS = 65536


class _Seen:
    """What was seen in a ring."""

    __slots__ = ("longest", "most", "times")

    def __init__(self) -> None:
        self.times = self.longest = 0
        self.most: int | None = None


class Tally:
    """A connection from its first event on; `last`, `messages` and `descriptors` are kept by its owner."""

    __slots__ = ("_closing", "_first", "_found", "_opening", "_seen", "descriptors", "last", "messages")

    def __init__(self, event: Event) -> None:
        self.last = event
        self.messages = self.descriptors = 0
        self._first = event.record
        self._opening: Record | None = None
        self._closing: Record | None = None
        self._found = {Severity.ERROR: 0, Severity.WARNING: 0}
        self._seen: dict[int, _Seen] = {}

    def add(self, event: ConnectionEvent) -> None:
        """Enter the next event that is not a message."""
        self.last = event
        record = event.record
        if record.kind is RecordKind.CONNECTION_OPENED:
            self._opening = record
        elif record.kind is RecordKind.CONNECTION_CLOSED:
            self._closing = record
        elif record.kind is RecordKind.RING_OBSERVED:
            self._observe(record)

    @property
    def _state(self) -> State:
        # Closing the connection stops its rings: what they were before is of interest.
        return self.last.before if self._closing is not None else self.last.after

    def _observe(self, record: Record) -> None:
        seen = observation_of(record.details)
        if seen is None or (seen.ring not in self._seen and len(self._seen) >= _MOST_RINGS):
            return
        tally = self._seen.setdefault(seen.ring, _Seen())
        tally.times += 1
        tally.longest = max(tally.longest, seen.waited)
        if seen.pending is not None:
            tally.most = max(tally.most or 0, seen.pending)

    def found(self, finding: Finding) -> None:
        """Count a finding about the connection."""
        if finding.severity in self._found:
            self._found[finding.severity] += 1

    def session_row(self, file: str, unanswered: int) -> Row:
        """Its row in `sessions`, after its last event."""
        state = self._state
        device = state.guess.device
        closing = self._closing.details if self._closing is not None else NO_DETAILS
        return (
            file,
            state.number,
            self._first.time,
            self.last.record.time,
            state.from_start,
            *self._peers(state),
            device.name if device is not None else None,
            device is not None and not state.guess.settled,
            state.protocol.key,
            state.phase.value,
            unicode(str(closing.get("by", ""))) or None,
            unicode(str(closing.get("how", ""))) or None,
            self.messages,
            self.descriptors,
            unanswered,
            self._found[Severity.ERROR],
            self._found[Severity.WARNING],
            state.features.offered,
            state.features.acked,
            " ".join(state.feature_names) or None,
            state.protocol_features.offered,
            state.protocol_features.acked,
            " ".join(state.protocol_feature_names) or None,
            state.queues,
            len(state.memory.regions),
            sum(region.size for region in state.memory.regions),
        )

    def _peers(self, state: State) -> Iterator[str | int | None]:
        """Of both sides, the name and the process id."""
        names = self._opening.peer_names if self._opening is not None else state.programs
        details = self._opening.details if self._opening is not None else NO_DETAILS
        for side, name in zip(("front_end", "back_end"), names, strict=True):
            pid = details.get(f"{side}_pid")
            yield unicode(name) or None
            yield pid if isinstance(pid, int) and pid else None

    def ring_rows(self, file: str) -> Iterator[Row]:
        """Its rows in `rings`, after its last event."""
        state = self._state
        for index in sorted(state.rings.keys() | self._seen.keys()):
            ring, seen = state.ring(index), self._seen.get(index)
            yield (
                file,
                state.number,
                index,
                ring.size,
                ring.started is Started.STARTED,
                ring.enabled is Enabled.ENABLED,
                ring.runs_since > 0,
                ring.base,
                ring.stopped_at,
                seen.times if seen is not None else 0,
                seen.most if seen is not None else None,
                seen.longest if seen is not None else None,
            )
