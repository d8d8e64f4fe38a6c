"""Peers with every kind of bad behaviour, at the other end of a real socket."""

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
    """A peer that behaves like this for the duration of the block."""
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
    """Accepts the connection, reads nothing and sends nothing."""
    over.wait()


def dripping(peer: socket.socket, over: Over) -> None:
    """Sends a byte now and then."""
    while not over.wait(0.02):
        peer.send(b"\1")


def listening(peer: socket.socket, _: Over) -> None:
    """Reads everything and sends nothing."""
    while peer.recv(65536):
        pass


def slow(peer: socket.socket, over: Over) -> None:
    """Reads a little at a time."""
    while not over.wait(0.01):
        peer.recv(4096)


def interrupting(peer: socket.socket, over: Over) -> None:
    """Sends something else each time just before the timeout."""
    while not over.wait(0.05):
        peer.send(message(99))


def talking(*sent: bytes) -> Behaviour:
    """Sends these messages over and over, as fast as it can; discards what it reads."""

    def behave(peer: socket.socket, _: Over) -> None:
        for data in repeat(b"".join(sent)):
            peer.sendall(data)
            with suppress(BlockingIOError):
                peer.recv(1 << 16, socket.MSG_DONTWAIT)

    return behave


def endless(peer: socket.socket, _: Over) -> None:
    """Begins a message of 16 MiB, and never stops sending."""
    peer.sendall(HEADER.pack(1, 5, 1 << 24))
    for data in repeat(bytes(65536)):
        peer.sendall(data)


def generous(peer: socket.socket, _: Over) -> None:
    """Passes as many descriptors as possible with each message."""
    event = os.eventfd(0)
    try:
        while True:
            socket.send_fds(peer, [message(99)], [event] * 253)
    finally:
        os.close(event)


def generous_in_pieces(peer: socket.socket, _: Over) -> None:
    """Passes as many descriptors as possible with each byte of a message."""
    event = os.eventfd(0)
    try:
        socket.send_fds(peer, [HEADER.pack(1, 5, 4096)], [event] * 253)
        while True:
            socket.send_fds(peer, [b"x"], [event] * 253)
    finally:
        os.close(event)
