"""A small session between our own front-end and back-end: real sockets, memory and eventfds, an invented disk.

The disk has two queues. Once they run, the back-end announces on the back-end channel that the disk was resized;
the front-end reads the configuration again, stops the queues and closes the connection.
"""

import os
import socket
from contextlib import ExitStack
from pathlib import Path

from vudissect.protocol.devices.storage import BLK
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Channel, Side
from vudissect.replay.peer import Peer, PeerError, Received
from vudissect.wire.fields import from_fields
from vudissect.wire.header import NEED_REPLY
from vudissect.wire.layout import LayoutCodec

_RING_SIZE = 256
_QUEUES = 2
_MEMORY_SIZE = 64 << 20
_USER_ADDRESS = 0x7F00_0000_0000
_SECTORS, _SECTORS_RESIZED = 2048, 4096
_CONFIG_SIZE = 60  # what front-ends read from a disk: up to the write-zeroes fields
_VIRTIO = VIRTIO_FEATURES.mask("EVENT_IDX", "PROTOCOL_FEATURES", "VERSION_1", "RING_RESET")
_OFFERED = _VIRTIO | BLK.features.mask("SEG_MAX", "BLK_SIZE", "FLUSH", "MQ")
_PROTOCOL_OFFERED = PROTOCOL_FEATURES.mask("MQ", "REPLY_ACK", "BACKEND_REQ", "CONFIG", "CONFIGURE_MEM_SLOTS")


class BackEnd:
    """The disk: replies to requests, and acknowledges those with NEED_REPLY."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._sectors = _SECTORS

    def serve(self) -> None:
        """One session, until the front-end closes the connection."""
        with self._listener, ExitStack() as owned:
            peer = owned.enter_context(Peer(self._listener.accept()[0], Side.BACK_END))
            channel: Peer | None = None
            enabled = 0
            while True:
                try:
                    received = peer.receive()
                except PeerError:
                    return
                row = received.message.row
                if row.opens is Channel.BACKEND:
                    end = socket.socket(fileno=os.dup(received.descriptors[0]))
                    channel = owned.enter_context(Peer(end, Side.BACK_END, Channel.BACKEND))
                received.close()
                self._answer(peer, received)
                enabled += row.name == "SET_VRING_ENABLE" and received.fields["num"]
                if enabled == _QUEUES and channel is not None:
                    enabled = 0
                    self._sectors = _SECTORS_RESIZED
                    channel.ask("CONFIG_CHANGE_MSG", need_reply=True)

    def _answer(self, peer: Peer, received: Received) -> None:
        message, fields = received.message, received.fields
        match message.row.name:
            case "GET_FEATURES":
                peer.reply(message, {"features": _OFFERED})
            case "GET_PROTOCOL_FEATURES":
                peer.reply(message, {"features": _PROTOCOL_OFFERED})
            case "GET_QUEUE_NUM":
                peer.reply(message, {"queues": _QUEUES})
            case "GET_MAX_MEM_SLOTS":
                peer.reply(message, {"slots": 8})
            case "GET_CONFIG":
                peer.reply(message, {"contents": self._config()[: fields["size"]]})
            case "GET_VRING_BASE":
                peer.reply(message, {"index": fields["index"], "num": 7})
            case _ if message.flags & NEED_REPLY:
                peer.acknowledge(message)

    def _config(self) -> bytes:
        config = {"capacity": self._sectors, "seg_max": 126, "blk_size": 512, "num_queues": _QUEUES}
        return LayoutCodec(BLK.config, "little").encode(from_fields(BLK.config, config))


def front_end(sock: socket.socket) -> None:
    """The front-end's side of the session on this connection, from the first request to the last."""
    with ExitStack() as owned:
        peer = owned.enter_context(Peer(sock, Side.FRONT_END))
        ours, theirs = socket.socketpair()
        channel = owned.enter_context(Peer(ours, Side.FRONT_END, Channel.BACKEND))

        peer.ask("GET_FEATURES")
        peer.ask("GET_PROTOCOL_FEATURES")
        peer.send("SET_PROTOCOL_FEATURES", {"features": _PROTOCOL_OFFERED})
        peer.ask("GET_QUEUE_NUM")
        with theirs:
            peer.ask("SET_BACKEND_REQ_FD", descriptors=(theirs.fileno(),), need_reply=True)
        peer.send("SET_OWNER")
        config = {"size": _CONFIG_SIZE, "contents": bytes(_CONFIG_SIZE)}
        peer.ask("GET_CONFIG", config)
        peer.send("SET_FEATURES", {"features": _OFFERED & ~VIRTIO_FEATURES.mask("RING_RESET")})
        _give_memory(peer)
        for ring in range(_QUEUES):
            _start_ring(peer, ring)
        for ring in range(_QUEUES):
            peer.ask("SET_VRING_ENABLE", {"index": ring, "num": 1}, need_reply=True)

        change = channel.receive()
        channel.acknowledge(change.message)
        peer.ask("GET_CONFIG", config)

        for ring in range(_QUEUES):
            peer.ask("GET_VRING_BASE", {"index": ring})


def _give_memory(peer: Peer) -> None:
    memory = os.memfd_create("guest-ram", os.MFD_CLOEXEC)
    try:
        os.truncate(memory, _MEMORY_SIZE)
        region = {"guest_addr": 0, "size": _MEMORY_SIZE, "user_addr": _USER_ADDRESS}
        peer.ask("SET_MEM_TABLE", {"regions": [region]}, descriptors=(memory,), need_reply=True)
    finally:
        os.close(memory)


def _start_ring(peer: Peer, ring: int) -> None:
    base = _USER_ADDRESS + 0x1000_0000 // 0x100 * (ring + 1)
    peer.send("SET_VRING_NUM", {"index": ring, "num": _RING_SIZE})
    peer.send("SET_VRING_BASE", {"index": ring})
    addresses = {"index": ring, "desc": base, "avail": base + 0x1000, "used": base + 0x2000}
    peer.send("SET_VRING_ADDR", addresses)
    for name in ("SET_VRING_KICK", "SET_VRING_CALL"):
        event = os.eventfd(0, os.EFD_CLOEXEC)
        try:
            peer.send(name, {"index": ring}, descriptors=(event,))
        finally:
            os.close(event)
