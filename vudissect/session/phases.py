"""How far a connection has come, as a table. Source: the order of messages in QEMU docs/interop/vhost-user.rst."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class Phase(Enum):
    """Where a connection is between its first message and its last."""

    CONNECTED = "connected"
    NEGOTIATING = "negotiating"
    CONFIGURED = "configured"
    RUNNING = "running"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class Step(Enum):
    """What moves a connection on."""

    FEATURES = "features are asked for or acknowledged"
    SETUP = "the owner or memory is set"
    RING_STARTED = "a ring is started"
    RINGS_STOPPED = "the last ring is stopped"
    RESET = "owner or device reset"
    CLOSED = "closed"


# What is not in the table changes nothing; every phase ends with `CLOSED`.
PHASES: Mapping[tuple[Phase, Step], Phase] = MappingProxyType(
    {
        (Phase.CONNECTED, Step.FEATURES): Phase.NEGOTIATING,
        (Phase.CONNECTED, Step.SETUP): Phase.CONFIGURED,
        (Phase.CONNECTED, Step.RING_STARTED): Phase.RUNNING,
        (Phase.NEGOTIATING, Step.SETUP): Phase.CONFIGURED,
        (Phase.NEGOTIATING, Step.RING_STARTED): Phase.RUNNING,
        (Phase.CONFIGURED, Step.RING_STARTED): Phase.RUNNING,
        (Phase.RUNNING, Step.RINGS_STOPPED): Phase.SUSPENDED,
        (Phase.RUNNING, Step.RESET): Phase.CONFIGURED,
        (Phase.SUSPENDED, Step.RING_STARTED): Phase.RUNNING,
        (Phase.SUSPENDED, Step.RESET): Phase.CONFIGURED,
    }
    | {(phase, Step.CLOSED): Phase.CLOSED for phase in Phase if phase is not Phase.CLOSED}
)
