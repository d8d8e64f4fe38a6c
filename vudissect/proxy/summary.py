"""The result of a run, as text for people and as an exit status."""

from dataclasses import dataclass

from vudissect.protocol.model import Side
from vudissect.proxy.observer import Report
from vudissect.proxy.passed import Totals
from vudissect.proxy.recorder import Recorder
from vudissect.proxy.relay import Relay

FINE, LOSSES, CANNOT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a run; `report` is the observer's, `lost` counts records that could not be written.

    `capture` is the last line, about the capture that is left, `faults` the one about faults; "" without any.
    """

    relay: Relay
    recorder: Recorder
    lost: int
    report: Report
    capture: str = ""
    faults: str = ""

    @property
    def status(self) -> int:
        """The exit status."""
        if self._missing or self.recorder.descriptors_lost or self.report.counts.get("malformed"):
            return LOSSES
        return CANNOT if self.relay.gave_up and not self.relay.connections else FINE

    def __str__(self) -> str:
        lines = [_count(self.relay.connections, "connection")]
        for (channel, sender), totals in sorted(self.recorder.totals.items()):
            receiver = Side(1 - sender)
            who = f"{sender.label} to {receiver.label}"
            lines.append(f"  {channel.label:7} {who}  {_traffic(totals)}")
        if self.relay.gave_up:
            lines.append(f"  no counterpart: {_count(self.relay.gave_up, 'time')}")
        for name, number in self.report.counts.items() if self.relay.connections else ():
            lines.append(f"  {name}: {number}")
        lines += [f"  waited {wait}" for wait in self.report.waits]
        if self.recorder.descriptors_lost:
            lines.append(f"  LOST: descriptors of {_count(self.recorder.descriptors_lost, 'message')}")
        if self._missing:
            lines.append(f"  LOST: {_count(self._missing, 'record')} of the capture")
        if self.faults:
            lines.append(f"  {self.faults}")
        if self.capture:
            lines.append(self.capture)
        return "\n".join(lines)

    @property
    def _missing(self) -> int:
        return self.lost + self.recorder.not_recorded


def _traffic(totals: Totals) -> str:
    return ", ".join(
        (_count(totals.messages, "message"), _count(totals.descriptors, "descriptor"), _count(totals.bytes, "byte"))
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
