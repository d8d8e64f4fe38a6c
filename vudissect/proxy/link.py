"""One channel of a connection: its two sockets, a pump for each direction, and how it ends.

A half-close is passed on as a half-close, after everything before it. When a side is gone completely, what it
sent is still delivered, then the other side is closed.
"""

import select
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from operator import and_

from vudissect.protocol.model import Channel, Side
from vudissect.proxy.direction import Direction
from vudissect.proxy.passed import Numbering
from vudissect.proxy.poller import HUNG_UP, READABLE, WRITABLE
from vudissect.proxy.pump import EOF, RESET, STOPPED_READING, Ends, Interposing, Notice, Pump
from vudissect.proxy.shared import Shared
from vudissect.wire.framing import Framer
from vudissect.wire.header import ByteOrder

_PEERS = (Side.FRONT_END, Side.BACK_END)
_RETRY_SECONDS = 0.01
_FINISH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Wire:
    """A channel between the sockets of the two sides, indexed by `Side`; the byte order, if already known."""

    channel: Channel
    sockets: tuple[socket.socket, socket.socket]
    byte_order: ByteOrder | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a channel was closed: by whom and how, and how many bytes could not be delivered."""

    by: Side
    how: str
    undelivered: int


@dataclass(frozen=True, slots=True)
class LinkClosed:
    """A link has ended."""

    link: "Link"
    ending: Ending


class Link:
    """Relays between the sockets of the two sides from `start` until it reports that it is closed."""

    def __init__(
        self,
        wire: Wire,
        numbering: Numbering,
        shared: Shared,
        notify: Callable[[LinkClosed], None],
        interposing: Interposing | None = None,
    ) -> None:
        self.channel = wire.channel
        self._sockets = wire.sockets
        self._poller = shared.poller
        self._notify = notify
        self._gone = [False, False]
        self._silenced = [False, False]
        self._passed_on = [False, False]
        self._first_to_leave: tuple[Side, str] | None = None
        self._open = True
        self._finishing = ""
        self._pumps = tuple(self._pump(side, wire, numbering, shared, interposing) for side in _PEERS)
        self._directions = tuple(pump.direction for pump in self._pumps)

    @property
    def byte_order(self) -> ByteOrder | None:
        """The byte order of the front-end's messages, once it is known."""
        return self._directions[Side.FRONT_END].framer.byte_order

    def start(self) -> None:
        """Begin to relay."""
        for side in _PEERS:
            on_event = partial(self._on_event, side)
            self._poller.watch(self._sockets[side].fileno(), READABLE, self._pumps[side].readable, on_event)

    def finish(self, by: Side, how: str) -> None:
        """Relay what the peers have sent so far, then close. A peer that does not read has a few seconds for this."""
        self._leave(by, how)
        self._finishing = how
        self._poller.later(_FINISH_SECONDS, self._close)
        self._finish_pumps()

    def owns(self, fd: int) -> bool:
        """Whether a descriptor is one of the two sockets."""
        return any(sock.fileno() == fd for sock in self._sockets)

    def abort(self, why: str) -> None:
        """Close at once."""
        self._leave(Side.PROXY, why)
        self._close()

    def _pump(
        self, side: Side, wire: Wire, numbering: Numbering, shared: Shared, interposing: Interposing | None
    ) -> Pump:
        recorder = shared.recorder
        if side is not Side.FRONT_END:
            interposing = None
        direction = Direction(
            recorder.flow(numbering, wire.channel, side),
            Framer(wire.byte_order),
            recorder.snaplen,
            interposing.numbers if interposing else frozenset(),
        )
        ends = Ends(wire.sockets[side], wire.sockets[1 - side])
        return self._new_pump(direction, ends, shared, interposing)

    def _new_pump(self, direction: Direction, ends: Ends, shared: Shared, interposing: Interposing | None) -> Pump:
        return Pump(direction, ends, shared.recorder, self._on_notice, interposing)

    def _finish_pumps(self) -> None:
        for pump in self._pumps:
            pump.read_on()
            if not (pump.direction.blocked or pump.direction.ended):
                pump.end(self._finishing)

    def _on_event(self, side: Side, events: int) -> None:
        if events & HUNG_UP:
            self._gone[side] = True
        self._pumps[1 - side].flush()
        if self._finishing:
            self._finish_pumps()
        elif self._pumps[side].hungry:
            self._pumps[side].readable()
        self._settle()

    def _on_notice(self, notice: Notice) -> None:
        if notice is Notice.STALLED:
            self._poller.later(_RETRY_SECONDS, self._retry)
        else:
            self._settle()

    def _settle(self) -> None:
        """Act on the state that the pumps have reached."""
        if not self._open:
            return
        for side in _PEERS:
            direction, other = self._directions[side], Side(1 - side)
            if direction.broken and not self._silenced[side]:
                self._silenced[side] = True
                how = self._directions[other].ended or _how_it_left(self._sockets[other], direction.broken)
                self._leave(other, how)
                # The source must notice that nobody reads any more, as it would without a proxy.
                with suppress(OSError):
                    self._sockets[side].shutdown(socket.SHUT_RD)
            if direction.ended and not direction.blocked and not self._passed_on[side]:
                self._passed_on[side] = True
                self._gone[side] |= direction.ended != EOF
                half_close = direction.ended == EOF and not self._gone[side]
                self._leave(side, "half-close" if half_close else direction.ended)
                with suppress(OSError):
                    self._sockets[other].shutdown(socket.SHUT_WR)
        if all(self._passed_on) or (not self._finishing and any(map(and_, self._passed_on, self._gone))):
            self._close()
            return
        for side in _PEERS:
            self._poller.change(self._sockets[side].fileno(), self._events_wanted(side))

    def _events_wanted(self, side: Side) -> int | None:
        events = READABLE if self._pumps[side].hungry else 0
        writing = self._directions[1 - side]
        if writing.blocked and not writing.stalled:
            events |= WRITABLE
        # A hang-up is reported repeatedly; once it is known and nothing can be done about it yet, stop watching.
        return events if events or not self._gone[side] else None

    def _leave(self, side: Side, how: str) -> None:
        self._first_to_leave = self._first_to_leave or (side, how)

    def _close(self) -> None:
        if not self._open:
            return
        self._open = False
        for sock in self._sockets:
            self._poller.retire(sock)
        try:
            for pump in self._pumps:
                pump.abandon()
        finally:
            assert self._first_to_leave is not None
            by, how = self._first_to_leave
            undelivered = sum(direction.undelivered for direction in self._directions)
            self._notify(LinkClosed(self, Ending(by, how, undelivered)))

    def _retry(self) -> None:
        if self._open:
            for pump in self._pumps:
                pump.flush()
            if self._finishing:
                self._finish_pumps()
            self._settle()


def _how_it_left(sock: socket.socket, refusal: str) -> str:
    """Whether a peer that accepts nothing more has hung up (with unread bytes or not), or only stopped reading."""
    if refusal != STOPPED_READING:
        return refusal
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        return RESET
    look = select.poll()
    look.register(sock, 0)
    return EOF if look.poll(0) else STOPPED_READING
