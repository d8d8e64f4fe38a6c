"""The cases, by family: data, one entry each. docs/conformance.md says how to write one."""

from vudissect.check.cases import (
    channel,
    config,
    descriptors,
    framing,
    inflight,
    life,
    log,
    memory,
    negotiation,
    newest,
    ring_life,
    rings,
    state,
    status,
)
from vudissect.check.model import Case

ALL_CASES: tuple[Case, ...] = (
    *framing.CASES,
    *descriptors.CASES,
    *negotiation.CASES,
    *memory.CASES,
    *sorted((*rings.CASES, *ring_life.CASES), key=lambda case: case.id),
    *config.CASES,
    *inflight.CASES,
    *log.CASES,
    *life.CASES,
    *status.CASES,
    *state.CASES,
    *newest.CASES,
    *channel.CASES,
)

FAMILIES: dict[str, str] = {
    "FRM": "framing",
    "FDS": "descriptors",
    "NEG": "negotiation",
    "MEM": "memory",
    "RNG": "rings",
    "CFG": "configuration space",
    "INF": "in-flight memory",
    "LOG": "dirty log",
    "LIF": "life of connections and of the process",
    "STA": "device status",
    "DST": "device state",
    "NEW": "newest messages",
    "CHN": "back-end channel",
}
