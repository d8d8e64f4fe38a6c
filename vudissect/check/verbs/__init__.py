"""All verbs; importing this makes them known."""

from vudissect.check.verbs import (
    channel,
    devices,
    directed,
    inflight,
    iotlb,
    log,
    memory,
    postcopy,
    process,
    rings,
    session,
    state,
)
from vudissect.check.verbs.registry import VERBS, Verb, act

__all__ = [
    "VERBS",
    "Verb",
    "act",
    "channel",
    "devices",
    "directed",
    "inflight",
    "iotlb",
    "log",
    "memory",
    "postcopy",
    "process",
    "rings",
    "session",
    "state",
]
