"""Messages that the front-end sends on the main channel, in order of their numbers.

The fourteen of the first protocol are here, those that need protocol features in `front_end_extensions`. Source, unless
a row names another: QEMU docs/interop/vhost-user.rst, "Front-end message types"; `since` has the QEMU release and
commit that added the message.
"""

from functools import partial

from vudissect.protocol import payloads
from vudissect.protocol.front_end_extensions import EXTENSIONS
from vudissect.protocol.model import Answer, Channel, Descriptors, FdKind, Gate, PhaseNeeded, Row
from vudissect.protocol.payloads import NOTHING
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.since import qemu

_message = partial(
    Row, Channel.MAIN, source="QEMU docs/interop/vhost-user.rst, Front-end message types", request=NOTHING
)

_RING_EVENT = Descriptors(FdKind.EVENT, 0, 1, unless="nofd")

MESSAGES: tuple[Row, ...] = (
    _message(
        id=1,
        name="GET_FEATURES",
        summary="Asks for the feature bits that the back-end offers.",
        answer=Answer.ALWAYS,
        reply=(payloads.VIRTIO_FEATURES_WORD,),
        purpose=Purpose.OFFER_FEATURES,
        since=qemu("2.1", "5f6f6664bf"),
    ),
    _message(
        id=2,
        name="SET_FEATURES",
        summary="Acknowledges feature bits; without PROTOCOL_FEATURES (30) it also enables all rings.",
        request=(payloads.VIRTIO_FEATURES_WORD,),
        purpose=Purpose.ACK_FEATURES,
        since=qemu("2.1", "5f6f6664bf"),
    ),
    _message(
        id=3,
        name="SET_OWNER",
        summary="Makes the sender the owner of the session; sent once.",
        purpose=Purpose.TAKE_OWNERSHIP,
        since=qemu("2.1", "5f6f6664bf"),
    ),
    _message(
        id=4,
        name="RESET_OWNER",
        summary="Deprecated, with several interpretations; back-ends disable all rings or do nothing.",
        purpose=Purpose.DISABLE_RINGS,
        since=qemu("2.1", "5f6f6664bf"),
    ),
    _message(
        id=5,
        name="SET_MEM_TABLE",
        summary="Replaces the memory map: one region and one descriptor for each piece of guest memory.",
        request=(
            payloads.MEM_TABLE,
            payloads.MEM_TABLE_XEN,
            payloads.MEM_TABLE_TWO,
            payloads.MEM_TABLE_EIGHT,
        ),
        answer=Answer.IF_POSTCOPY,
        reply=(payloads.MEM_TABLE,),
        fds=Descriptors(FdKind.MEMORY, 1, 8, per="nregions"),
        purpose=Purpose.REPLACE_MEMORY,
        since=qemu("2.1", "5f6f6664bf"),
    ),
    _message(
        id=6,
        name="SET_LOG_BASE",
        summary="Passes the memory in which the back-end logs its writes during migration.",
        request=(payloads.LOG, payloads.LOG_ADDRESS),
        answer=Answer.IF_LOG_SHMFD,
        reply=(payloads.LOG_REPLY_VALUE, payloads.LOG, payloads.EMPTY),
        fds=Descriptors(FdKind.MEMORY, 0, 1, note="with LOG_SHMFD"),
        gate=Gate(virtio=("LOG_ALL",), phase=PhaseNeeded.OFFERED),
        purpose=Purpose.SET_LOG,
        since=qemu("2.1", "5f6f6664bf", note="16 bytes since 2.5 (2b8819c6ee)"),
    ),
    _message(
        id=7,
        name="SET_LOG_FD",
        summary="Sets the eventfd to signal when the log was written; QEMU never sends it.",
        fds=Descriptors(FdKind.EVENT, 1, 1),
        gate=Gate(virtio=("LOG_ALL",), phase=PhaseNeeded.OFFERED),
        since=qemu("2.1", "5f6f6664bf"),
    ),
    _message(
        id=8,
        name="SET_VRING_NUM",
        summary="Sets the number of entries in a ring.",
        request=(payloads.VRING_STATE,),
        purpose=Purpose.SET_RING_SIZE,
        since=qemu("2.1", "5f6f6664bf"),
    ),
    _message(
        id=9,
        name="SET_VRING_ADDR",
        summary="Sets the addresses of a ring's parts.",
        request=(payloads.VRING_ADDR,),
        purpose=Purpose.SET_RING_ADDRESSES,
        since=qemu("2.1", "5f6f6664bf"),
    ),
    _message(
        id=10,
        name="SET_VRING_BASE",
        summary="Sets the position at which the back-end continues in the ring.",
        request=(payloads.VRING_BASE,),
        purpose=Purpose.SET_RING_BASE,
        since=qemu("2.1", "5f6f6664bf"),
    ),
    _message(
        id=11,
        name="GET_VRING_BASE",
        summary="Stops the ring and asks for the back-end's position in it.",
        request=(payloads.VRING_BASE,),
        answer=Answer.ALWAYS,
        reply=(payloads.VRING_BASE,),
        purpose=Purpose.STOP_RING,
        since=qemu("2.1", "5f6f6664bf"),
    ),
    _message(
        id=12,
        name="SET_VRING_KICK",
        summary="Sets the eventfd with which the driver announces buffers; starts the ring.",
        request=(payloads.VRING_FD,),
        fds=_RING_EVENT,
        purpose=Purpose.SET_KICK,
        since=qemu("2.1", "5f6f6664bf"),
    ),
    _message(
        id=13,
        name="SET_VRING_CALL",
        summary="Sets the eventfd with which the back-end announces used buffers.",
        request=(payloads.VRING_FD,),
        fds=_RING_EVENT,
        purpose=Purpose.SET_CALL,
        since=qemu("2.1", "5f6f6664bf"),
    ),
    _message(
        id=14,
        name="SET_VRING_ERR",
        summary="Sets the eventfd with which the back-end reports an error.",
        request=(payloads.VRING_FD,),
        fds=_RING_EVENT,
        purpose=Purpose.SET_ERR,
        since=qemu("2.1", "5f6f6664bf"),
    ),
    *EXTENSIONS,
)
