"""What messages are for: the names with which the session, the rules and the views find the rows of the table."""

from enum import Enum
from typing import Final

KEPT: Final = True


class Purpose(Enum):
    """What a message does, whatever its name and number in a dialect; code finds rows by it.

    A message that no code has to find, or that its row describes completely, has none. A message whose purpose
    is `kept` changes the state: `session.effects` has a function for it.
    """

    def __init__(self, summary: str, kept: bool = False) -> None:
        self.summary = summary
        self.kept = kept

    NONE = "none"
    OFFER_FEATURES = "the reply has the offered virtio features", KEPT
    ACK_FEATURES = "acknowledges virtio features; without PROTOCOL_FEATURES it enables all rings", KEPT
    OFFER_PROTOCOL_FEATURES = "the reply has the offered protocol features", KEPT
    ACK_PROTOCOL_FEATURES = "acknowledges protocol features", KEPT
    OFFER_GPU_FEATURES = "the reply has the offered GPU protocol features", KEPT
    ACK_GPU_FEATURES = "acknowledges GPU protocol features", KEPT
    TAKE_OWNERSHIP = "makes the front-end the owner", KEPT
    DISABLE_RINGS = "disables all rings", KEPT
    RESET = "disables all rings and resets the device", KEPT
    REPLACE_MEMORY = "replaces the memory map", KEPT
    ADD_MEMORY = "adds a memory region", KEPT
    REMOVE_MEMORY = "removes a memory region", KEPT
    COUNT_QUEUES = "the reply has the number of queues", KEPT
    COUNT_MEMORY_SLOTS = "the reply has the number of memory regions the back-end can hold", KEPT
    SET_RING_SIZE = "sets the size of a ring", KEPT
    SET_RING_ADDRESSES = "sets the addresses of a ring", KEPT
    SET_RING_BASE = "sets the position of a ring", KEPT
    STOP_RING = "stops a ring; the reply has its position", KEPT
    SET_BYTE_ORDER = "sets the byte order of a ring"
    SET_KICK = "replaces the kick descriptor of a ring, and starts it", KEPT
    SET_CALL = "replaces the call descriptor of a ring", KEPT
    SET_ERR = "replaces the err descriptor of a ring", KEPT
    KICK_RING = "announces buffers of a ring in place of its kick descriptor"
    CALL_RING = "announces used buffers of a ring in place of its call descriptor"
    FAIL_RING = "announces an error of a ring in place of its err descriptor"
    ENABLE_RING = "enables or disables a ring", KEPT
    RUN_RING = "starts or stops a ring", KEPT
    HALT_RINGS = "stops all rings", KEPT
    SET_LOG = "replaces the log memory", KEPT
    OPEN_CHANNEL = "passes the socket of another channel"
    START_POSTCOPY = "memory tables are answered from now on", KEPT
    END_POSTCOPY = "memory tables are no longer answered", KEPT
    ADVISE_POSTCOPY = "announces postcopy", KEPT
    OFFER_INFLIGHT = "the reply passes the in-flight memory", KEPT
    SET_INFLIGHT = "passes the in-flight memory back", KEPT
    SET_STATUS = "sets the device status", KEPT
    GET_STATUS = "the reply has the device status", KEPT
    READ_CONFIG = "the reply has the configuration space", KEPT
    START_STATE_TRANSFER = "begins to save or load the device state", KEPT
    CHECK_STATE_TRANSFER = "ends saving or loading the device state", KEPT
    COUNT_SHARED_MEMORY = "the reply has the shared memory regions of the device", KEPT
    MAP_SHARED_MEMORY = "maps a file into a shared memory region", KEPT
    UNMAP_SHARED_MEMORY = "unmaps a range of a shared memory region", KEPT
    UPDATE_IOTLB = "reports a translation: miss, update, invalidation, failure"
    ADD_OBJECT = "offers a shared object", KEPT
    REMOVE_OBJECT = "withdraws a shared object", KEPT
    OPEN_SESSION = "creates a crypto session"
    CLOSE_SESSION = "closes a crypto session"
    SHOW_DISPLAYS = "the reply has the displays and their sizes"
    DESCRIBE_DISPLAY = "the reply has what a display says about itself"
    SET_SCANOUT = "sets the size of a scanout"
    DRAW = "draws a rectangle of pixels"
    GIVE_OBJECT = "the reply passes a shared object"
    PASS_NOTIFIER = "passes device memory that is written to in place of a kick descriptor"
    CHANGE_CONFIG = "reports that the configuration space has changed"
    ANNOUNCE = "announces a migrated guest to the network"
    WRITE_CONFIG = "writes the configuration space"
    SET_MTU = "passes the largest size of a packet"


FEATURE_LISTS = frozenset(
    {
        Purpose.OFFER_FEATURES,
        Purpose.ACK_FEATURES,
        Purpose.OFFER_PROTOCOL_FEATURES,
        Purpose.ACK_PROTOCOL_FEATURES,
        Purpose.OFFER_GPU_FEATURES,
        Purpose.ACK_GPU_FEATURES,
    }
)
"""What a message is for whose payload is a list of features."""
