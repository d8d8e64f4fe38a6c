"""Peers that do everything but what they should, at the other end of a real socket."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import repeat
from struct import Struct

from vudissect.replay import Connected

HEADER = Struct("<III")
# Waits until the replay is over.
Over = threading.Event
Behaviour = Callable[[socket.socket, Over], None]


@contextmanager
def hostile(behaviour: Behaviour) -> Iterator[Connected]:
    """Somebody who behaves so for as long as the block runs."""
    ours, theirs = socket.socketpair()
    over = threading.Event()

    def behave() -> None:
        with theirs, suppress(OSError):  # the replay hung up
            behaviour(theirs, over)

    thread = threading.Thread(target=behave)
    thread.start()
    try:
        yield Connected(ours)
    finally:
        over.set()
        with suppress(OSError):
            theirs.shutdown(socket.SHUT_RDWR)
        thread.join()


def message(number: int, payload: bytes = b"", flags: int = 5) -> bytes:
    return HEADER.pack(number, flags, len(payload)) + payload


def silent(_: socket.socket, over: Over) -> None:
    """Takes the connection, reads nothing and says nothing."""
    over.wait()


def dripping(peer: socket.socket, over: Over) -> None:
    """Says a byte at a time, now and then."""
    while not over.wait(0.02):
        peer.send(b"\1")


def listening(peer: socket.socket, _: Over) -> None:
    """Reads everything and says nothing."""
    while peer.recv(65536):
        pass


def slow(peer: socket.socket, over: Over) -> None:
    """Reads a little at a time."""
    while not over.wait(0.01):
        peer.recv(4096)


def interrupting(peer: socket.socket, over: Over) -> None:
    """Says something else each time before the other side has lost patience."""
    while not over.wait(0.05):
        peer.send(message(99))


def talking(*sent: bytes) -> Behaviour:
    """Says these things over and over, as fast as it can; what it hears it forgets."""

    def behave(peer: socket.socket, _: Over) -> None:
        for data in repeat(b"".join(sent)):
            peer.sendall(data)
            with suppress(BlockingIOError):
                peer.recv(1 << 16, socket.MSG_DONTWAIT)

    return behave


def endless(peer: socket.socket, _: Over) -> None:
    """Begins a message of 16 MiB, and goes on for ever."""
    peer.sendall(HEADER.pack(1, 5, 1 << 24))
    for data in repeat(bytes(65536)):
        peer.sendall(data)


def generous(peer: socket.socket, _: Over) -> None:
    """Passes as many descriptors as go with each message."""
    event = os.eventfd(0)
    try:
        while True:
            socket.send_fds(peer, [message(99)], [event] * 253)
    finally:
        os.close(event)


def generous_in_pieces(peer: socket.socket, _: Over) -> None:
    """Passes as many descriptors as go with each byte of a message."""
    event = os.eventfd(0)
    try:
        socket.send_fds(peer, [HEADER.pack(1, 5, 4096)], [event] * 253)
        while True:
            socket.send_fds(peer, [b"x"], [event] * 253)
    finally:
        os.close(event)
