"""A toy front-end in place of QEMU: it starts the disk, runs a queue for a moment, and stops it.

python frontend.py --socket-path=SOCKET
"""

import argparse
import os
import socket

from vudissect.protocol.model import Side
from vudissect.replay.peer import Peer

MEMORY = 64 << 20
ADDRESS = 0x7F00_0000_0000


def talk(peer: Peer) -> None:
    """One session, from the first request to the last."""
    features = peer.ask("GET_FEATURES").fields["features"]
    protocol = peer.ask("GET_PROTOCOL_FEATURES").fields["features"]
    peer.send("SET_PROTOCOL_FEATURES", {"features": protocol})
    peer.ask("GET_QUEUE_NUM")
    peer.send("SET_OWNER")
    peer.ask("GET_CONFIG", {"size": 60, "contents": bytes(60)})
    peer.send("SET_FEATURES", {"features": features})
    memory = os.memfd_create("guest-ram")
    os.truncate(memory, MEMORY)
    region = {"guest_addr": 0, "size": MEMORY, "user_addr": ADDRESS}
    peer.ask("SET_MEM_TABLE", {"regions": [region]}, descriptors=(memory,), need_reply=True)
    peer.send("SET_VRING_NUM", {"index": 0, "num": 256})
    peer.send("SET_VRING_BASE", {"index": 0})
    rings = {"desc": ADDRESS + 0x1000, "avail": ADDRESS + 0x2000, "used": ADDRESS + 0x3000}
    peer.ask("SET_VRING_ADDR", {"index": 0, **rings}, need_reply=True)
    peer.send("SET_VRING_KICK", {"index": 0}, descriptors=(os.eventfd(0),))
    peer.send("SET_VRING_CALL", {"index": 0}, descriptors=(os.eventfd(0),))
    peer.ask("SET_VRING_ENABLE", {"index": 0, "num": 1}, need_reply=True)
    peer.ask("GET_VRING_BASE", {"index": 0})


def main() -> None:
    """Connect to the back-end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket-path", required=True)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(parser.parse_args().socket_path)
    with Peer(connection, Side.FRONT_END) as peer:
        talk(peer)


if __name__ == "__main__":
    main()
