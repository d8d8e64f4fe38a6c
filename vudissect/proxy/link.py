"""One channel of a connection: its two sockets, a pump in each direction, and how it comes to its end.

A half-close is passed on as a half-close, after everything before it. When a side is gone altogether, what it had
sent is still delivered, then the other side is closed.
"""

import select
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from operator import and_

from vudissect.protocol.model import Channel, Side
from vudissect.proxy.poller import HUNG_UP, READABLE, WRITABLE, Poller
from vudissect.proxy.pump import EOF, RESET, STOPPED_READING, Interpose, Pump
from vudissect.proxy.recorder import Numbers, Recorder
from vudissect.wire.framing import Framer
from vudissect.wire.header import ByteOrder

_PEERS = (Side.FRONT_END, Side.BACK_END)
_RETRY_SECONDS = 0.01
_FINISH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a channel was closed: by whom and how, and how many bytes could not be delivered."""

    by: Side
    how: str
    undelivered: int


class Link:
    """Relays between the sockets of the two sides, indexed by `Side`, from `start` until `closed` is called."""

    def __init__(
        self,
        connection: int,
        channel: Channel,
        sockets: tuple[socket.socket, socket.socket],
        byte_orders: tuple[ByteOrder | None, ByteOrder | None],
        poller: Poller,
        recorder: Recorder,
        numbers: Numbers,
        closed: Callable[["Link", Ending], None],
        interpose: Interpose | None = None,
    ) -> None:
        self.channel = channel
        self._sockets = sockets
        self._poller = poller
        self._closed = closed
        self._gone = [False, False]
        self._silenced = [False, False]
        self._passed_on = [False, False]
        self._first_to_leave: tuple[Side, str] | None = None
        self._open = True
        self._finishing = ""
        self.pumps = tuple(
            Pump(
                recorder.flow(connection, channel, side),
                sockets[side],
                sockets[1 - side],
                Framer(byte_orders[side]),
                recorder,
                numbers,
                self._settle,
                self._try_later,
                interpose if side is Side.FRONT_END else None,
            )
            for side in _PEERS
        )

    def start(self) -> None:
        """Begin to relay."""
        for side, sock in enumerate(self._sockets):
            self._poller.watch(sock.fileno(), READABLE, self.pumps[side].readable, self._handler(side))

    def finish(self, by: Side, how: str) -> None:
        """Relay what the peers have sent so far, then close. A peer that does not read has a few seconds for it."""
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

    def _finish_pumps(self) -> None:
        for pump in self.pumps:
            pump.read_on()
            if not (pump.blocked or pump.ended):
                pump.end(self._finishing)

    def _handler(self, side: int) -> Callable[[int], None]:
        def on_event(events: int) -> None:
            if events & HUNG_UP:
                self._gone[side] = True
            self.pumps[1 - side].flush()
            if self._finishing:
                self._finish_pumps()
            elif self.pumps[side].hungry:
                self.pumps[side].readable()
            self._settle()

        return on_event

    def _settle(self) -> None:
        """Draw the conclusions from what the pumps have come to."""
        if not self._open:
            return
        for side in _PEERS:
            pump, other = self.pumps[side], Side(1 - side)
            if pump.broken and not self._silenced[side]:
                self._silenced[side] = True
                self._leave(other, self.pumps[other].ended or _how_it_left(self._sockets[other], pump.broken))
                # The source is to learn that nobody reads on, as it would without a proxy.
                with suppress(OSError):
                    self._sockets[side].shutdown(socket.SHUT_RD)
            if pump.ended and not pump.blocked and not self._passed_on[side]:
                self._passed_on[side] = True
                self._gone[side] |= pump.ended != EOF
                self._leave(side, pump.ended if pump.ended != EOF or self._gone[side] else "half-close")
                with suppress(OSError):
                    self._sockets[other].shutdown(socket.SHUT_WR)
        if all(self._passed_on) or (not self._finishing and any(map(and_, self._passed_on, self._gone))):
            self._close()
            return
        for side in _PEERS:
            self._poller.change(self._sockets[side].fileno(), self._events_wanted(side))

    def _events_wanted(self, side: Side) -> int | None:
        reading, writing = self.pumps[side], self.pumps[1 - side]
        events = READABLE if reading.hungry else 0
        if writing.blocked and not writing.stalled:
            events |= WRITABLE
        # A hang-up is reported again and again; once it is known and nothing can be done about it yet, look away.
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
            for pump in self.pumps:
                pump.abandon()
        finally:
            assert self._first_to_leave is not None
            by, how = self._first_to_leave
            self._closed(self, Ending(by, how, sum(pump.undelivered for pump in self.pumps)))

    def _try_later(self) -> None:
        self._poller.later(_RETRY_SECONDS, self._try_now)

    def _try_now(self) -> None:
        if self._open:
            for pump in self.pumps:
                pump.flush()
            if self._finishing:
                self._finish_pumps()
            self._settle()


def _how_it_left(sock: socket.socket, refusal: str) -> str:
    """Whether a peer that takes nothing more has hung up (with our bytes unread, or not), or only stopped reading."""
    if refusal != STOPPED_READING:
        return refusal
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        return RESET
    look = select.poll()
    look.register(sock, 0)
    return EOF if look.poll(0) else STOPPED_READING
