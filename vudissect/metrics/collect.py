"""Counts what happens in the sessions of a running proxy.

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
_SENDER = ("channel", "sender")
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
        self._open = Family("vudissect_open_requests", gauge, "Requests that wait for their answer.", ("channel",))
        self._age = Family(
            "vudissect_open_request_age_seconds", gauge, "Age of the oldest request that waits.", ("channel",)
        )
        self._unanswered = Family("vudissect_unanswered_requests", counter, "Requests that were never answered.")
        self._malformed = Family("vudissect_malformed_messages", counter, "Messages that cannot be decoded.", _SENDER)
        self._findings = Family("vudissect_findings", counter, "Findings of the linter.", ("severity", "rule", "blame"))
        self._connections = Family("vudissect_connections", counter, "Connections between a front-end and a back-end.")
        self._connected = Family("vudissect_open_connections", gauge, "Connections that are open.")
        self._reconnects = Family("vudissect_reconnects", counter, "Connections after the first one.")
        self._observed = Family("vudissect_ring_observations", counter, "Looks into a ring.", ("ring",))
        self._pending = Family("vudissect_ring_pending", gauge, "Requests in a ring, when last looked at.", ("ring",))
        self._waited = Family(
            "vudissect_ring_waited_seconds",
            gauge,
            "How long no request of a ring was completed, when last looked at.",
            ("ring",),
        )
        self._lost = Family("vudissect_lost_messages", counter, "Messages that these metrics missed.")
        self._lost_descriptors = Family(
            "vudissect_messages_without_descriptors", counter, "Messages whose descriptors the kernel dropped.", _SENDER
        )
        for family in (self._connections, self._reconnects, self._unanswered, self._lost):
            family.add(count=0)

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
            self._findings.add(str(finding.severity), finding.rule, str(finding.blame))

    def families(self, now: int) -> tuple[Family, ...]:
        """All numbers at a time, on the clock of the records (ns)."""
        counts, oldest = dict.fromkeys(Channel, 0), dict.fromkeys(Channel, now)
        for number in self._session.states:
            pairing = self._session.pairing(number)
            for channel in Channel:
                for request in pairing[channel].owed():
                    counts[channel] += 1
                    oldest[channel] = min(oldest[channel], request.forwarded)
        self._open.numbers = {(channel.label,): counts[channel] for channel in Channel}
        self._age.numbers = {(channel.label,): (now - oldest[channel]) / _NANOSECONDS for channel in Channel}
        self._connected.numbers = {(): sum(number > 0 for number in self._session.states)}
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
        sender = record.channel.label, record.sender.label
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
        record = event.record
        self._unanswered.add(count=len(event.unanswered))
        if record.kind is RecordKind.CONNECTION_OPENED:
            if self._connections.numbers[()]:
                self._reconnects.add()
            self._connections.add()
        elif record.kind is RecordKind.GAP:
            missed = record.details.get("messages")
            self._lost.add(count=missed if isinstance(missed, int) else 1)
        elif record.kind is RecordKind.RING_OBSERVED:
            seen = observation_of(record.details)
            if seen is not None and seen.ring < _MOST_RINGS:
                ring = (str(seen.ring),)
                self._observed.add(*ring)
                self._pending.numbers[ring] = seen.pending or 0
                self._waited.numbers[ring] = seen.waited / _NANOSECONDS
