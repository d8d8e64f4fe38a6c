"""What the proxy noted, in a few words: connections, channels, gaps, notes."""

from collections.abc import Callable, Mapping

from vudissect.capture.observation import observation_of
from vudissect.capture.record import RecordKind
from vudissect.host.descriptor import DescriptorKind
from vudissect.render.rings import observation_text
from vudissect.session.event import Event

# A capture may pass sockets without end; a channel is opened right after its socket was passed.
_MOST_SOCKETS = 64


class Notices:
    """The text of each event that is not a message; a channel is named by the socket that a message passed for it."""

    def __init__(self) -> None:
        self._sockets: dict[tuple[int, str | int | None], str] = {}

    def see(self, event: Event) -> None:
        """Remember the socket that a message passes."""
        record = event.record
        for named in event.descriptors:
            if named.descriptor.kind is DescriptorKind.SOCKET:
                self._sockets[record.connection, record.sequence] = named.name
                if len(self._sockets) > _MOST_SOCKETS:
                    del self._sockets[next(iter(self._sockets))]

    def text(self, event: Event) -> str:
        """What happened; external text in it is not escaped."""
        record = event.record
        if record.kind is RecordKind.CHANNEL_OPENED:
            passed = self._sockets.get((record.connection, record.details.get("by_sequence")))
            return f"{record.channel.label} channel opened{f' on {passed}' if passed else ''}"
        return _TEXTS.get(record.kind, _unknown)(event)


Details = Mapping[str, str | int]


def _peer(details: Details, side: str) -> str:
    command = details.get(f"{side}_command") or "?"
    pid = details.get(f"{side}_pid")
    return f"{command} (pid {pid})" if pid else str(command)


def _connection_opened(event: Event) -> str:
    details = event.record.details
    front_end, back_end = _peer(details, "front_end"), _peer(details, "back_end")
    device = f", device {event.record.device}" if event.record.device else ""
    origin = f", from {event.record.origin}" if event.record.origin else ""
    return f"{event.after.label}: front-end {front_end}, back-end {back_end}{device}{origin}"


def _connection_closed(event: Event) -> str:
    return f"{event.after.label} {_closed(event.record.details)}"


def _channel_closed(event: Event) -> str:
    return f"{event.record.channel.label} channel {_closed(event.record.details)}"


def _closed(details: Details) -> str:
    how = f" ({details['how']})" if details.get("how") else ""
    lost = f", {details['undelivered']} bytes undelivered" if details.get("undelivered") else ""
    return f"closed by the {details.get('by', '?')}{how}{lost}"


def _gap(event: Event) -> str:
    details = event.record.details
    return f"{details.get('messages', '?')} messages are missing here: {details.get('reason', '?')}"


def _continued(event: Event) -> str:
    details = event.record.details
    if "next" in details:
        return f"continued in {details['next']}"
    repeated = details.get("repeated", 0)
    above = f"; {repeated} records of the set-up are repeated from earlier files" if repeated else ""
    return f"continued from {details.get('previous', '?')}{above}"


def _note(event: Event) -> str:
    return f"note: {event.record.details.get('text', '')}"


def _fault(event: Event) -> str:
    details = event.record.details
    remark = details.get("reason", "")
    if not remark and not details.get("alters"):
        remark = "timing only"
    about = f" ({remark})" if remark else ""
    return f"fault {details.get('fault', '?')} {details.get('outcome', '?')}{about}: {details.get('text', '')}"


def _ring_observed(event: Event) -> str:
    seen = observation_of(event.record.details)
    return observation_text(seen) if seen is not None else _unknown(event)


def _unknown(event: Event) -> str:
    return " ".join(f"{key}={value}" for key, value in event.record.details.items())


_TEXTS: dict[RecordKind, Callable[[Event], str]] = {
    RecordKind.CONNECTION_OPENED: _connection_opened,
    RecordKind.CONNECTION_CLOSED: _connection_closed,
    RecordKind.CHANNEL_CLOSED: _channel_closed,
    RecordKind.GAP: _gap,
    RecordKind.NOTE: _note,
    RecordKind.RING_OBSERVED: _ring_observed,
    RecordKind.CONTINUED: _continued,
    RecordKind.FAULT: _fault,
}
