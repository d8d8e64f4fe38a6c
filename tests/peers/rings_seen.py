"""What a recording shows of the rings: what was seen in them, and who is accused."""

from pathlib import Path
from typing import NamedTuple

from vudissect.analysis import analyse
from vudissect.capture.observation import Observation, observation_of
from vudissect.capture.record import RecordKind
from vudissect.session.stalls import Stall, stall_of

IN_SIGHT = ("--rings=requests", "--rings-interval=0.1")
"""The options of a `vuproxy` that looks into rings, often enough for short sessions."""

# This session is over after some 30 ms, perhaps before anybody has looked.
TOO_SHORT = ("libblkio-1.5-qsd-10.0",)


class RingsSeen(NamedTuple):
    """The observations, the broken rules about them with their connections, and what stalls at the end."""

    observations: list[Observation]
    broken: set[tuple[int, str]]
    stalls: list[Stall]

    @property
    def any_was_read(self) -> bool:
        """Whether a ring could be read at least once."""
        return any(seen.avail is not None for seen in self.observations)


def rings_seen(capture: Path) -> RingsSeen:
    """Read a whole capture."""
    analysis = analyse(capture)
    judged = list(analysis)
    observations = [
        observation
        for event, _ in judged
        if event.record.kind is RecordKind.RING_OBSERVED
        and (observation := observation_of(event.record.details)) is not None
    ]
    findings = [*(finding for _, found in judged for finding in found), *analysis.finish()]
    broken = {(finding.connection, finding.rule) for finding in findings if finding.rule.startswith("VU-OBS")}
    states = {event.record.connection: event.after for event, _ in judged}
    return RingsSeen(
        observations, broken, [stall for state in states.values() if (stall := stall_of(state)) is not None]
    )
