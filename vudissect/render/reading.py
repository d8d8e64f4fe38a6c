"""What the lines of a transcript are read in: the device type, the dialect and the byte order of a connection.

A line of its own shows each where it changes, above the first message that it applies to. It is also a line of a
conversation, so that a transcript can be composed again.
"""

from collections.abc import Callable, Iterable, Iterator

from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.protocol.model import Device
from vudissect.protocol.table import UPSTREAM, Protocol
from vudissect.session.dialect import Verdict
from vudissect.session.event import Event
from vudissect.session.state import State

_BIG_ENDIAN = int(Mark.BIG_ENDIAN)
_NOTHING_SHOWN: tuple[Device | None, Protocol] = (None, UPSTREAM)


class Reading:
    """Remembers what was shown of each open connection. `verdict` returns why a connection is read in its dialect."""

    def __init__(self, verdict: Callable[[int], Verdict | None], *, verbose: bool = False) -> None:
        self._verdict = verdict
        self._verbose = verbose
        self._shown: dict[int, tuple[Device | None, Protocol]] = {}
        self.big_endian = False
        """The byte order of the messages so far."""

    def lines(self, event: Event) -> Iterable[str]:
        """What is different for this event and was not for those before it."""
        state = event.after
        device, protocol = self._shown.get(state.number, _NOTHING_SHOWN)
        is_same = state.guess.device is device and state.protocol is protocol
        if is_same and event.message is not None and not (event.record.marks or self.big_endian):
            return ()
        return self._changes(event)

    def _changes(self, event: Event) -> Iterator[str]:
        record, state = event.record, event.after
        if record.marks or self.big_endian:
            yield from self._byte_order(record)
        device, protocol = self._shown.get(state.number, _NOTHING_SHOWN)
        connection = f"c{state.number} " if state.number > 1 else ""
        # The line of an opened connection names the device that its user has named.
        is_named = bool(record.device) and record.kind is RecordKind.CONNECTION_OPENED
        if state.guess.device is not device and not is_named:
            yield connection + device_line(state)
        if state.protocol is not protocol:
            first, *reasons = self._dialect_lines(state)
            yield connection + first
            yield from (f"# {reason.strip()}" for reason in reasons)
        if record.kind is RecordKind.CONNECTION_CLOSED:
            self._shown.pop(state.number, None)
        else:
            self._shown[state.number] = state.guess.device, state.protocol

    def _dialect_lines(self, state: State) -> Iterator[str]:
        verdict = self._verdict(state.number)
        if verdict is None or verdict.dialect.protocol is not state.protocol:
            yield f"dialect {state.protocol.key}"
            return
        from vudissect.render.dialects import dialect_line, verdict_lines

        yield dialect_line(verdict)
        if self._verbose:
            yield from list(verdict_lines(verdict))[1:]

    def _byte_order(self, record: Record) -> Iterator[str]:
        big_endian = bool(int(record.marks) & _BIG_ENDIAN)
        if record.kind is RecordKind.MESSAGE and big_endian is not self.big_endian:
            self.big_endian = big_endian
            yield f"byte-order {'big' if big_endian else 'little'}"


def device_line(state: State) -> str:
    """The device type of a connection, and whether it is only a guess."""
    return f"device {state.guess.words or 'unknown'}"
