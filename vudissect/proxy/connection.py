"""A connection: a front-end and a back-end, the main channel between them, and the channels opened over it.

A message that hands over the socket of another channel is interposed: one end of a socket pair of the proxy's goes
on in its place, so that the new channel runs through the proxy as well.
"""

import errno
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress

from vudissect.capture.record import RecordKind
from vudissect.host.peer import peer_of
from vudissect.protocol.model import Channel, Side
from vudissect.protocol.table import UPSTREAM
from vudissect.proxy.link import Ending, Link
from vudissect.proxy.poller import Poller
from vudissect.proxy.pump import Handover
from vudissect.proxy.recorder import Numbers, Recorder
from vudissect.proxy.rights import descriptors, move_additions, rights_of
from vudissect.wire.framing import Rights
from vudissect.wire.header import ByteOrder


class Connection:
    """Relays between two sockets, indexed by `Side`, from the moment it is made until it calls `closed`.

    A side that was never there is `missing`: its socket only takes that place.
    """

    def __init__(
        self,
        number: int,
        sockets: tuple[socket.socket, socket.socket],
        missing: Side | None,
        byte_order: ByteOrder | None,
        interpose: bool,
        poller: Poller,
        recorder: Recorder,
        closed: Callable[["Connection"], None],
    ) -> None:
        self.is_pair = missing is None
        self._number = number
        self._poller = poller
        self._recorder = recorder
        self._closed = closed
        self._numbers = Numbers()
        self._handed_over: set[Link] = set()
        self._ending: Ending | None = None  # of the main channel, while others still deliver
        for sock in sockets:
            move_additions(sock)
        self._main = Link(
            number,
            Channel.MAIN,
            sockets,
            (byte_order, byte_order),
            poller,
            recorder,
            self._numbers,
            self._main_closed,
            self._interpose if interpose else None,
        )
        self._event(RecordKind.CONNECTION_OPENED, Channel.MAIN, _peers(sockets, missing))
        self._main.start()

    def finish(self, by: Side, how: str) -> None:
        """Relay what the peers have sent so far, then close everything."""
        self._main.finish(by, how)

    def owns(self, fd: int) -> bool:
        """Whether a descriptor is a socket of one of the channels."""
        return any(link.owns(fd) for link in (self._main, *self._handed_over))

    def abort(self, why: str) -> None:
        """Close everything; what the peers have sent so far is recorded as not forwarded."""
        for link in (*self._handed_over, self._main):
            # The error that led here may come again.
            with suppress(Exception):
                link.abort(why)

    def _interpose(self, number: int, rights: Rights) -> Handover | None:
        """Put the proxy into a channel that a message opens; None where there is nothing to get into."""
        row = UPSTREAM.request(Channel.MAIN, number)
        if row is None or row.opens is None:
            return None
        try:
            theirs, link = self._new_channel(row.opens, rights)
        except Exception as error:
            why = error.strerror if isinstance(error, OSError) else repr(error)
            text = f"{row.name}: what it hands over is passed on untouched and not recorded: {why}"
            self._event(RecordKind.NOTE, Channel.MAIN, {"text": text})
            return None

        def forwarded(sequence: int) -> None:
            theirs.close()
            self._event(RecordKind.CHANNEL_OPENED, link.channel, {"by_sequence": sequence})
            link.start()

        self._handed_over.add(link)
        return Handover(rights_of([theirs.fileno()]), forwarded)

    def _new_channel(self, channel: Channel, rights: Rights) -> tuple[socket.socket, Link]:
        """The end to be handed over in place of the original, and the link between the original and the other end."""
        fds = descriptors(rights)
        if len(fds) != 1:
            raise OSError(0, f"{len(fds)} descriptors where one is expected")
        original = _connected_stream(fds[0])
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        except OSError:
            original.close()
            raise
        os.set_blocking(theirs.fileno(), os.get_blocking(original.fileno()))
        move_additions(original, theirs)
        byte_order = self._main.pumps[Side.FRONT_END].framer.byte_order
        link = Link(
            self._number,
            channel,
            (original, ours),
            (byte_order, byte_order),
            self._poller,
            self._recorder,
            self._numbers,
            self._channel_closed,
        )
        return theirs, link

    def _channel_closed(self, link: Link, ending: Ending) -> None:
        self._handed_over.discard(link)
        self._event(RecordKind.CHANNEL_CLOSED, link.channel, _details(ending))
        self._close_if_over()

    def _main_closed(self, _: Link, ending: Ending) -> None:
        self._ending = ending
        for link in tuple(self._handed_over):
            link.finish(Side.PROXY, "the main channel was closed")
        self._close_if_over()

    def _close_if_over(self) -> None:
        """The connection ends with the last of its channels: those that were handed over still deliver."""
        if self._ending and not self._handed_over:
            ending, self._ending = self._ending, None
            self._event(RecordKind.CONNECTION_CLOSED, Channel.MAIN, _details(ending))
            self._closed(self)

    def _event(self, kind: RecordKind, channel: Channel, details: Mapping[str, str | int]) -> None:
        self._recorder.event(kind, self._number, channel, self._numbers.take(), details)


def _connected_stream(fd: int) -> socket.socket:
    """A duplicate of a descriptor that is a connected Unix stream socket; `OSError` on any other."""
    borrowed = socket.socket(fileno=fd)
    try:
        if borrowed.family != socket.AF_UNIX or borrowed.type != socket.SOCK_STREAM:
            raise OSError(errno.EPROTOTYPE, "not a Unix stream socket")
        borrowed.getpeername()
        # Not socket.dup(), which would change the blocking mode that the former owner shares.
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=os.dup(fd))
    finally:
        borrowed.detach()


def _peers(sockets: tuple[socket.socket, socket.socket], missing: Side | None) -> dict[str, str | int]:
    details: dict[str, str | int] = {}
    for side in (Side.FRONT_END, Side.BACK_END):
        if side is not missing:
            details |= peer_of(sockets[side]).details(side.label)
    return details


def _details(ending: Ending) -> dict[str, str | int]:
    return {"by": ending.by.label, "how": ending.how, "undelivered": ending.undelivered}
