"""A connection: a front-end and a back-end, the main channel between them, and the channels opened over it.

A message that hands over the socket of another channel is interposed: the proxy replaces the socket by one end of a
socket pair, so that the new channel also runs through the proxy.
"""

import errno
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from vudissect.capture.record import RecordKind
from vudissect.host.peer import peer_of
from vudissect.protocol.model import Channel, Side
from vudissect.protocol.table import UPSTREAM
from vudissect.proxy.events import Interpose
from vudissect.proxy.link import Ending, Link, LinkClosed, Wire
from vudissect.proxy.passed import Numbering
from vudissect.proxy.pump import Handover, Interposing
from vudissect.proxy.rights import descriptors, move_additions, rights_of
from vudissect.proxy.shared import Shared
from vudissect.wire.framing import Rights

# The messages that hand over the socket of another channel.
_OPENERS = {row.id: (row, row.opens) for row in UPSTREAM.channel(Channel.MAIN) if row.opens is not None}


@dataclass(frozen=True, slots=True)
class Peers:
    """The sockets of the two sides, indexed by `Side`; a side that was never there has a placeholder."""

    sockets: tuple[socket.socket, socket.socket]
    missing: Side | None = None

    def details(self) -> dict[str, str | int]:
        """The identity of the peers, for the record."""
        details: dict[str, str | int] = {}
        for side in (Side.FRONT_END, Side.BACK_END):
            if side is not self.missing:
                details |= peer_of(self.sockets[side]).details(side.label)
        return details


class Connection:
    """Relays between two sockets from its creation until it calls `closed`."""

    def __init__(self, number: int, peers: Peers, shared: Shared, closed: Callable[["Connection"], None]) -> None:
        self.is_pair = peers.missing is None
        self._shared = shared
        self._closed = closed
        self._numbering = Numbering(number)
        self._handed_over: set[Link] = set()
        self._ending: Ending | None = None  # of the main channel, while others still deliver
        for sock in peers.sockets:
            move_additions(sock)
        settings = shared.settings
        wire = Wire(Channel.MAIN, peers.sockets, settings.byte_order)
        interposing = Interposing(frozenset(_OPENERS), self._interpose) if settings.interpose else None
        self._main = self._new_link(wire, self._main_closed, interposing)
        named = {"device": settings.device, "device_id": settings.device_id}
        named = {key: value for key, value in named.items() if value}
        self._event(RecordKind.CONNECTION_OPENED, Channel.MAIN, peers.details() | named)
        self._main.start()

    def finish(self, by: Side, how: str) -> None:
        """Relay what the peers have sent so far, then close everything."""
        self._main.finish(by, how)

    @property
    def number(self) -> int:
        """Its number."""
        return self._numbering.connection

    def observed(self, details: Mapping[str, str | int]) -> None:
        """Record what was seen in one of its rings."""
        self._event(RecordKind.RING_OBSERVED, Channel.MAIN, details)

    def owns(self, fd: int) -> bool:
        """Whether a descriptor is a socket of one of the channels."""
        return any(link.owns(fd) for link in (self._main, *self._handed_over))

    def abort(self, why: str) -> None:
        """Close everything; what the peers have sent so far is recorded as not forwarded."""
        for link in (*self._handed_over, self._main):
            # The error that led here may occur again.
            with suppress(Exception):
                link.abort(why)

    def _interpose(self, offer: Interpose) -> Handover | None:
        """Insert the proxy into a channel that a message opens; None if that is not possible."""
        row, channel = _OPENERS[offer.number]
        try:
            theirs, link = self._new_channel(channel, offer.rights)
        except Exception as error:
            why = error.strerror if isinstance(error, OSError) else repr(error)
            text = f"{row.name}: its descriptors are passed on unchanged, and the channel is not recorded: {why}"
            self._event(RecordKind.NOTE, Channel.MAIN, {"text": text})
            return None

        def forwarded(sequence: int) -> None:
            theirs.close()
            self._event(RecordKind.CHANNEL_OPENED, link.channel, {"by_sequence": sequence})
            link.start()

        self._handed_over.add(link)
        return Handover(rights_of([theirs.fileno()]), forwarded)

    def _new_channel(self, channel: Channel, rights: Rights) -> tuple[socket.socket, Link]:
        """The end to hand over instead of the original, and the link between the original and the other end."""
        fds = descriptors(rights)
        if len(fds) != 1:
            raise OSError(0, f"{len(fds)} descriptors instead of one")
        original = _connected_stream(fds[0])
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        except OSError:
            original.close()
            raise
        os.set_blocking(theirs.fileno(), os.get_blocking(original.fileno()))
        move_additions(original, theirs)
        wire = Wire(channel, (original, ours), self._main.byte_order)
        return theirs, self._new_link(wire, self._channel_closed)

    def _new_link(
        self, wire: Wire, closed: Callable[[LinkClosed], None], interposing: Interposing | None = None
    ) -> Link:
        faults = self._shared.faults
        if faults is None:
            return Link(wire, self._numbering, self._shared, closed, interposing)
        # Without faults, nothing of them is loaded.
        from vudissect.proxy.faulted_link import FaultedLink

        return FaultedLink(wire, self._numbering, self._shared, faults, closed, interposing, self._link)

    def _link(self, channel: Channel) -> Link | None:
        """The link of a channel that is open."""
        if channel is Channel.MAIN:
            return self._main
        return next((link for link in self._handed_over if link.channel is channel), None)

    def _channel_closed(self, event: LinkClosed) -> None:
        self._handed_over.discard(event.link)
        self._event(RecordKind.CHANNEL_CLOSED, event.link.channel, _details(event.ending))
        self._close_if_over()

    def _main_closed(self, event: LinkClosed) -> None:
        self._ending = event.ending
        for link in tuple(self._handed_over):
            link.finish(Side.PROXY, "the main channel was closed")
        self._close_if_over()

    def _close_if_over(self) -> None:
        """The connection ends with its last channel: channels that were handed over still deliver."""
        if self._ending and not self._handed_over:
            ending, self._ending = self._ending, None
            self._shared.recorder.close_connection(self.number, partial(self._over, ending))

    def _over(self, ending: Ending) -> None:
        self._event(RecordKind.CONNECTION_CLOSED, Channel.MAIN, _details(ending))
        self._closed(self)

    def _event(self, kind: RecordKind, channel: Channel, details: Mapping[str, str | int]) -> None:
        numbering = self._numbering
        self._shared.recorder.event(kind, numbering.connection, channel, numbering.take(), details)


def _connected_stream(fd: int) -> socket.socket:
    """A duplicate of a descriptor if it is a connected Unix stream socket; `OSError` otherwise."""
    borrowed = socket.socket(fileno=fd)
    try:
        if borrowed.family != socket.AF_UNIX or borrowed.type != socket.SOCK_STREAM:
            raise OSError(errno.EPROTOTYPE, "not a Unix stream socket")
        borrowed.getpeername()
        # Not socket.dup(), which would change the blocking mode shared with the former owner.
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=os.dup(fd))
    finally:
        borrowed.detach()


def _details(ending: Ending) -> dict[str, str | int]:
    return {"by": ending.by.label, "how": ending.how, "undelivered": ending.undelivered}
