"""The phases of a connection, as a table. Source: the order of messages in QEMU docs/interop/vhost-user.rst."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class Phase(Enum):
    """The phase of a connection."""

    CONNECTED = "connected"
    NEGOTIATING = "negotiating"
    CONFIGURED = "configured"
    RUNNING = "running"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class Step(Enum):
    """What moves a connection to another phase."""

    FEATURES = "features are requested or acknowledged"
    SETUP = "the owner or memory is set"
    RING_STARTED = "a ring is started"
    RINGS_STOPPED = "the last ring is stopped"
    RESET = "the owner or device is reset"
    CLOSED = "the connection is closed"


# A step that is not in the table changes nothing; `CLOSED` ends every phase.
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
