"""A toy back-end: a disk that answers a front-end's set-up, but never reads a request.

python backend.py --socket-path=SOCKET
"""

import argparse
import mmap
import os
import socket
import struct

from vudissect.protocol.devices import device_by_name
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Side
from vudissect.replay.peer import Peer, PeerError, Received
from vudissect.wire.header import NEED_REPLY

DISK = device_by_name("blk")
FEATURES = VIRTIO_FEATURES.mask("VERSION_1", "PROTOCOL_FEATURES") | DISK.features.mask("FLUSH", "MQ")
PROTOCOL = PROTOCOL_FEATURES.mask("MQ", "REPLY_ACK", "CONFIG")
QUEUES = 2
SECTORS = 2048


def config() -> bytes:
    """The configuration space: the capacity at offset 0, the number of queues at 34."""
    return struct.pack("<Q26xH24x", SECTORS, QUEUES)


class Disk:
    """One connection."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.memory: list[mmap.mmap] = []
        self.positions = [0] * QUEUES

    def serve(self) -> None:
        """Answer until the front-end closes the connection."""
        while True:
            try:
                received = self.peer.receive()
            except PeerError:
                return
            self.answer(received)
            received.close()

    def answer(self, received: Received) -> None:
        """Do what a message asks for, and reply if it wants a reply."""
        message, fields = received.message, received.fields
        match message.row.name if message.row else "":
            case "GET_FEATURES":
                self.peer.reply(message, {"features": FEATURES})
            case "GET_PROTOCOL_FEATURES":
                self.peer.reply(message, {"features": PROTOCOL})
            case "GET_QUEUE_NUM":
                self.peer.reply(message, {"queues": QUEUES})
            case "GET_CONFIG":
                offset, size = fields["offset"], fields["size"]
                self.peer.reply(message, {"offset": offset, "contents": config()[offset : offset + size]})
            case "SET_VRING_BASE":
                self.positions[fields["index"]] = fields["num"]
            case "GET_VRING_BASE":
                ring = fields["index"]
                self.peer.reply(message, {"index": ring, "num": self.positions[ring]})
            case "SET_MEM_TABLE":
                self.memory = [mmap.mmap(fd, os.fstat(fd).st_size) for fd in received.descriptors]
        if message.flags & NEED_REPLY:
            self.peer.acknowledge(message)


def main() -> None:
    """Serve one front-end after another."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket-path", required=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(parser.parse_args().socket_path)
        listening.listen()
        while True:
            with Peer(listening.accept()[0], Side.BACK_END, timeout=60) as peer:
                print("a front-end has connected", flush=True)
                Disk(peer).serve()


if __name__ == "__main__":
    main()
