"""Counts what happens in the sessions of a running proxy, by the id of the device where a VM has several.

What is counted by name is bounded: messages that are not in the table count as `other`, and only 64 rings are counted.
"""

from collections.abc import Sequence
from typing import Final

from vudissect.capture.observation import observation_of
from vudissect.capture.record import Mark, RecordKind
from vudissect.lint.finding import Finding
from vudissect.metrics.openmetrics import Family, Type
from vudissect.protocol.model import Channel
from vudissect.session.event import ConnectionEvent, Event, Kind, MessageEvent
from vudissect.session.session import Session

_MOST_RINGS: Final = 64
_NANOSECONDS: Final = 1_000_000_000
_DEVICE = ("device",)
_SENDER = (*_DEVICE, "channel", "sender")
_RING = (*_DEVICE, "ring")
_OTHER: Final = "other"


class Metrics:
    """Show it every event with its findings; `families` has the numbers at a time."""

    def __init__(self, session: Session, version: str) -> None:
        self._session = session
        counter, gauge = Type.COUNTER, Type.GAUGE
        self._build = Family("vudissect_build", Type.INFO, "The version of vudissect.", ("version",))
        self._build.add(version)
        self._messages = Family(
            "vudissect_messages", counter, "Messages, by channel, sender and name.", (*_SENDER, "message")
        )
        self._bytes = Family("vudissect_message_bytes", counter, "Bytes of messages with their headers.", _SENDER)
        self._descriptors = Family("vudissect_descriptors", counter, "Descriptors passed with messages.", _SENDER)
        self._latency = Family(
            "vudissect_answer_seconds",
            Type.HISTOGRAM,
            "From the forwarding of a request to its answer, by who answers.",
            (*_SENDER, "message"),
        )
        self._open = Family(
            "vudissect_open_requests", gauge, "Requests that wait for their answer.", (*_DEVICE, "channel")
        )
        self._age = Family(
            "vudissect_open_request_age_seconds",
            gauge,
            "Age of the oldest request that waits.",
            (*_DEVICE, "channel"),
        )
        self._unanswered = Family(
            "vudissect_unanswered_requests", counter, "Requests that were never answered.", _DEVICE
        )
        self._malformed = Family("vudissect_malformed_messages", counter, "Messages that cannot be decoded.", _SENDER)
        self._findings = Family(
            "vudissect_findings", counter, "Findings of the linter.", (*_DEVICE, "severity", "rule", "blame")
        )
        self._connections = Family(
            "vudissect_connections", counter, "Connections between a front-end and a back-end.", _DEVICE
        )
        self._connected = Family("vudissect_open_connections", gauge, "Connections that are open.", _DEVICE)
        self._reconnects = Family("vudissect_reconnects", counter, "Connections after the first one.", _DEVICE)
        self._observed = Family("vudissect_ring_observations", counter, "Looks into a ring.", _RING)
        self._pending = Family("vudissect_ring_pending", gauge, "Requests in a ring, when last looked at.", _RING)
        self._waited = Family(
            "vudissect_ring_waited_seconds",
            gauge,
            "How long no request of a ring was completed, when last looked at.",
            _RING,
        )
        self._lost = Family("vudissect_lost_messages", counter, "Messages that these metrics missed.")
        self._lost_descriptors = Family(
            "vudissect_messages_without_descriptors", counter, "Messages whose descriptors the kernel dropped.", _SENDER
        )
        self._lost.add(count=0)

    def add(self, event: Event, findings: Sequence[Finding]) -> None:
        """Count an event and its findings."""
        if event.message is not None:
            self._add_message(event)
        else:
            self._add_event(event)
        self.add_findings(findings)

    def add_findings(self, findings: Sequence[Finding]) -> None:
        """Count findings."""
        for finding in findings:
            self._findings.add(finding.device_id, str(finding.severity), finding.rule, str(finding.blame))

    def families(self, now: int) -> tuple[Family, ...]:
        """All numbers at a time, on the clock of the records (ns)."""
        # Without any connection, too, so that a sum of them is a number.
        devices = [labels[0] for labels in self._connections.numbers] or [""]
        places = [(device, channel.label) for device in devices for channel in Channel]
        counts, oldest = dict.fromkeys(places, 0.0), dict.fromkeys(places, now)
        self._connected.numbers = dict.fromkeys([(device,) for device in devices], 0.0)
        for number, state in self._session.states.items():
            self._connected.add(state.device_id)
            pairing = self._session.pairing(number)
            for channel in Channel:
                place = state.device_id, channel.label
                for request in pairing[channel].owed():
                    counts[place] = counts.get(place, 0) + 1
                    oldest[place] = min(oldest.get(place, now), request.forwarded)
        self._open.numbers = {place: float(count) for place, count in counts.items()}
        self._age.numbers = {place: (now - since) / _NANOSECONDS for place, since in oldest.items()}
        for device in devices:
            for family in (self._connections, self._reconnects, self._unanswered):
                family.add(device, count=0)
        return (
            self._build,
            self._connections,
            self._connected,
            self._reconnects,
            self._messages,
            self._bytes,
            self._descriptors,
            self._latency,
            self._open,
            self._age,
            self._unanswered,
            self._findings,
            self._malformed,
            self._lost,
            self._lost_descriptors,
            self._observed,
            self._pending,
            self._waited,
        )

    def _add_message(self, event: MessageEvent) -> None:
        record, message = event.record, event.message
        sender = event.after.device_id, record.channel.label, record.sender.label
        name = message.row.name if message.row.known else _OTHER
        self._messages.add(*sender, name)
        self._bytes.add(*sender, count=record.length)
        if record.descriptors:
            self._descriptors.add(*sender, count=len(record.descriptors))
        if event.latency is not None:
            self._latency.observe(event.latency, *sender, name)
        if event.kind is Kind.MALFORMED and not record.is_cut:
            self._malformed.add(*sender)
        if record.marks & Mark.DESCRIPTORS_LOST:
            self._lost_descriptors.add(*sender)

    def _add_event(self, event: ConnectionEvent) -> None:
        record, device = event.record, event.after.device_id
        if event.unanswered:
            self._unanswered.add(device, count=len(event.unanswered))
        if record.kind is RecordKind.CONNECTION_OPENED:
            if self._connections.numbers.get((device,)):
                self._reconnects.add(device)
            self._connections.add(device)
        elif record.kind is RecordKind.GAP:
            missed = record.details.get("messages")
            self._lost.add(count=missed if isinstance(missed, int) else 1)
        elif record.kind is RecordKind.RING_OBSERVED:
            seen = observation_of(record.details)
            if seen is not None and seen.ring < _MOST_RINGS:
                ring = (device, str(seen.ring))
                self._observed.add(*ring)
                self._pending.numbers[ring] = seen.pending or 0
                self._waited.numbers[ring] = seen.waited / _NANOSECONDS
