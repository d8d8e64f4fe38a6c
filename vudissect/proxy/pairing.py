"""Finding the two sides of a connection: accepting, dialling, and waiting for the side that is not there yet.

Where one side listens and the other is dialled, each peer that calls gets a call of its own. Where both listen,
peers are paired in the order in which they come. Where both are dialled, there is one connection at a time.
"""

import select
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic

from vudissect.host.address import Address, AddressError, Role
from vudissect.host.endpoint import Listener, claim, dial, refuse_same
from vudissect.protocol.model import Side
from vudissect.proxy.poller import READABLE, Poller
from vudissect.proxy.voice import Repeated, Warn

_SIDES = (Side.FRONT_END, Side.BACK_END)
_DIAL_AGAIN_SECONDS = 0.05
_SAY_SO_SECONDS = 0.3
_ACCEPT_AGAIN_SECONDS = 0.1
_BACK_OFF_SECONDS = 0.2


@dataclass(eq=False, slots=True)
class _Waiting:
    """A peer whose counterpart is not there yet, since some time and since some round of looking for it."""

    socket: socket.socket
    since: float
    round: int


class Pairing:
    """Calls `paired` with the sockets of the two sides, and `left_alone` with a peer that stays without counterpart.

    `left_alone` is told the peer's side, its socket, who ended the wait, and how. `gave_up` counts how often nobody
    was there for `patience` seconds; `finished` says that nothing more can come.
    """

    def __init__(
        self,
        addresses: tuple[Address, Address],
        patience: float,
        once: bool,
        poller: Poller,
        warn: Warn,
        paired: Callable[[tuple[socket.socket, socket.socket]], None],
        left_alone: Callable[[Side, socket.socket, Side, str], None],
    ) -> None:
        """Begin to listen; `AddressError` where that cannot be."""
        self.gave_up = 0
        self.finished = False
        self._addresses = addresses
        self._patience = patience
        # A descriptor that was given to us connected cannot be connected again.
        self._once = once or any(address.fd is not None and address.role is Role.CONNECT for address in addresses)
        self._poller = poller
        self._say_who_is_awaited = tuple(Repeated(warn) for _ in _SIDES)
        self._say_who_is_missing = tuple(Repeated(warn) for _ in _SIDES)
        self._say_what_is_short = Repeated(warn)
        self._paired = paired
        self._left_alone = left_alone
        self._waiting: tuple[deque[_Waiting], deque[_Waiting]] = (deque(), deque())
        self._dialled = tuple(side for side in _SIDES if addresses[side].role is Role.CONNECT)
        self._calls_both = len(self._dialled) == len(_SIDES)
        self._calling = False
        self._calling_since = 0.0
        self._round = 0
        self._said_so: set[Side] = set()
        self._ticking = False
        self._said_short = False
        self._listeners: dict[Side, Listener] = {}
        try:
            for side in _SIDES:
                claim(addresses[side])
            refuse_same(*addresses)
            for side in _SIDES:
                if side not in self._dialled:
                    self._refuse_call(addresses[side])
                    self._listeners[side] = Listener(addresses[side])
            for side in self._dialled:
                self._refuse_call(addresses[side])
        except AddressError:
            self.close()
            raise

    def start(self) -> None:
        """Begin to accept and to dial."""
        self._watch_listeners()
        if self._calls_both:
            self._call()

    def connection_ended(self) -> None:
        """A pair has been served. Where both sides are dialled: do so again, after a moment."""
        if self._calls_both and not self.finished:
            self._poller.later(_BACK_OFF_SECONDS, self._call)

    def close(self) -> None:
        """Accept and dial no longer; peers that are still waiting are left alone."""
        self.finished = True
        self._calling = False
        self._stop_listening()
        for side in _SIDES:
            while self._waiting[side]:
                self._leave_alone(side, self._waiting[side][0], Side.PROXY, "stopped")

    def _refuse_call(self, address: Address) -> None:
        """Make sure that we would not call ourselves; `AddressError`."""
        for listener in self._listeners.values():
            listener.refuse_call(address)

    def _watch_listeners(self) -> None:
        for side, listener in self._listeners.items():
            accept = partial(self._accept, side, listener)
            self._poller.watch(listener.socket.fileno(), READABLE, accept, accept)

    def _stop_listening(self) -> None:
        for listener in self._listeners.values():
            self._poller.forget(listener.socket.fileno())
            listener.close()
        self._listeners.clear()

    def _call(self) -> None:
        self._calling = not self.finished
        self._calling_since = monotonic()
        self._advance()

    def _accept(self, side: Side, listener: Listener, _: int = READABLE) -> None:
        try:
            while accepted := listener.accept():
                self._arrived(side, accepted)
            self._said_short = False
        except OSError as error:
            # The event would come again and again: look away from it for a while.
            self._say_short(error)
            self._poller.change(listener.socket.fileno(), None)
            self._poller.later(_ACCEPT_AGAIN_SECONDS, self._watch_listeners)
        self._advance()

    def _arrived(self, side: Side, sock: socket.socket) -> None:
        waiting = _Waiting(sock, monotonic(), self._round)
        self._waiting[side].append(waiting)
        # Nothing is read before there is somebody to forward it to; only a hang-up is of interest.
        hung_up = partial(self._hung_up, side, waiting)
        self._poller.watch(sock.fileno(), 0, hung_up, lambda _: hung_up())

    def _hung_up(self, side: Side, waiting: _Waiting) -> None:
        self._leave_alone(side, waiting, side, "left before its counterpart came")
        if side in self._dialled and self._addresses[side].fd is not None:
            self.finished = True
        elif self._calling:
            # Whoever comes next has all the time that there is.
            self._calling = False
            self._poller.later(_BACK_OFF_SECONDS, self._call)

    def _advance(self) -> None:
        """Do what can be done now, and come back soon if that was not all."""
        self._pair_up()
        for side in self._dialled:
            while self._is_wanted(side) and self._dial(side):
                self._pair_up()
        self._lose_patience()
        self._round += 1
        if not self._ticking and (self._calling or any(self._waiting)):
            self._ticking = True
            self._poller.later(_DIAL_AGAIN_SECONDS, self._tick)

    def _tick(self) -> None:
        self._ticking = False
        self._advance()

    def _pair_up(self) -> None:
        front_ends, back_ends = self._waiting
        while front_ends and back_ends and not self.finished:
            if [side for side in _SIDES if self._first_has_left(side)]:
                continue
            front_end, back_end = front_ends.popleft().socket, back_ends.popleft().socket
            self._poller.forget(front_end.fileno())
            self._poller.forget(back_end.fileno())
            self._calling = False
            self._said_so.clear()
            if self._once:
                self.finished = True
                # Not at once: this may be the call of a listener.
                self._poller.later(0, self.close)
            self._paired((front_end, back_end))

    def _first_has_left(self, side: Side) -> bool:
        """Whether the first that waits is over and done with: nobody is given to a peer that is not there any more.

        One that has just come is not asked: what it has said before it left is to be delivered.
        """
        first = self._waiting[side][0]
        if first.round == self._round:
            return False
        look = select.poll()
        look.register(first.socket, 0)
        if not look.poll(0):
            return False
        self._hung_up(side, first)
        return True

    def _is_wanted(self, side: Side) -> bool:
        if self.finished:
            return False
        if self._calls_both:
            return self._calling and not self._waiting[side]
        return bool(self._waiting[1 - side])

    def _dial(self, side: Side) -> bool:
        """Call; False if nothing more can be done about this side now."""
        try:
            self._refuse_call(self._addresses[side])
            sock = dial(self._addresses[side])
        except AddressError as error:
            self._give_up(side, str(error))
            return True
        except OSError as error:
            self._say_short(error)
            return False
        if sock is None:
            return False
        self._arrived(side, sock)
        return True

    def _say_short(self, error: OSError) -> None:
        """Too many open files, usually."""
        if not self._said_short:
            self._said_short = True
            self._say_what_is_short(f"no connection can be made: {error.strerror}: trying again until it works")

    def _lose_patience(self) -> None:
        """Say so when a side is not there at once, and give up after a while on one that is dialled."""
        for side in _SIDES:
            address = self._addresses[side]
            while side in self._dialled and self._waited_for(side) >= self._patience:
                self._give_up(side, f"nobody listens at {address}: gave up after {self._patience:g} s (see --wait)")
            if self._waited_for(side) >= _SAY_SO_SECONDS and side not in self._said_so:
                self._said_so.add(side)
                self._say_who_is_awaited[side](f"waiting for the {side.label} at {address}")

    def _waited_for(self, side: Side) -> float:
        """For how many seconds a side has been missing, -1 if it is not."""
        if self._calls_both:
            return monotonic() - self._calling_since if self._calling and not self._waiting[side] else -1
        counterparts = self._waiting[1 - side]
        return monotonic() - counterparts[0].since if counterparts and not self.finished else -1

    def _give_up(self, side: Side, reason: str) -> None:
        self._say_who_is_missing[side](reason)
        self.gave_up += 1
        counterpart = Side(1 - side)
        if self._waiting[counterpart]:
            self._leave_alone(counterpart, self._waiting[counterpart][0], Side.PROXY, f"the {side.label} is not there")
        if self._calls_both or (self._once and not self._waiting[counterpart]):
            self.finished = True
            self._calling = False

    def _leave_alone(self, side: Side, waiting: _Waiting, by: Side, how: str) -> None:
        self._waiting[side].remove(waiting)
        self._poller.forget(waiting.socket.fileno())
        if not self._waiting[side]:
            self._said_so.discard(Side(1 - side))
        self._left_alone(side, waiting.socket, by, how)
