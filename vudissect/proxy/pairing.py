"""Finding the two sides of a connection: accepting, dialling, and waiting for the side that is not there yet.

Where one side listens and the other is dialled, each peer that calls gets a call of its own. Where both listen,
peers are paired in the order in which they come. Where both are dialled, there is one connection at a time.
"""

import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic

from vudissect.host.address import Address, AddressError, Role
from vudissect.host.endpoint import Listener, claim, dial
from vudissect.proxy.poller import READABLE, Poller
from vudissect.spec.model import Side

Warn = Callable[[str], None]

_SIDES = (Side.FRONT_END, Side.BACK_END)
_DIAL_AGAIN_SECONDS = 0.05
_SAY_SO_SECONDS = 0.3
_ACCEPT_AGAIN_SECONDS = 0.1
_BACK_OFF_SECONDS = 0.2


@dataclass(eq=False, slots=True)
class _Waiting:
    """A peer whose counterpart is not there yet."""

    socket: socket.socket
    since: float


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
        self._warn = warn
        self._paired = paired
        self._left_alone = left_alone
        self._waiting: tuple[deque[_Waiting], deque[_Waiting]] = (deque(), deque())
        self._dialled = tuple(side for side in _SIDES if addresses[side].role is Role.CONNECT)
        self._calls_both = len(self._dialled) == len(_SIDES)
        self._calling = False
        self._calling_since = 0.0
        self._said_so: set[Side] = set()
        self._ticking = False
        self._said_short = False
        self._listeners: dict[Side, Listener] = {}
        try:
            for side in _SIDES:
                claim(addresses[side])
                if side not in self._dialled:
                    self._listeners[side] = Listener(addresses[side])
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
        waiting = _Waiting(sock, monotonic())
        self._waiting[side].append(waiting)
        # Nothing is read before there is somebody to forward it to; only a hang-up is of interest.
        hung_up = partial(self._leave_alone, side, waiting, side, "left before its counterpart came")
        self._poller.watch(sock.fileno(), 0, hung_up, lambda _: hung_up())

    def _advance(self) -> None:
        """Do what can be done now, and come back soon if that was not all."""
        self._pair_up()
        for side in self._dialled:
            while self._is_wanted(side) and self._dial(side):
                self._pair_up()
        self._lose_patience()
        if not self._ticking and (self._calling or any(self._waiting)):
            self._ticking = True
            self._poller.later(_DIAL_AGAIN_SECONDS, self._tick)

    def _tick(self) -> None:
        self._ticking = False
        self._advance()

    def _pair_up(self) -> None:
        front_ends, back_ends = self._waiting
        while front_ends and back_ends and not self.finished:
            front_end, back_end = front_ends.popleft().socket, back_ends.popleft().socket
            self._poller.forget(front_end.fileno())
            self._poller.forget(back_end.fileno())
            self._calling = False
            self._said_so.clear()
            if self._once:
                self.finished = True
                # Not at once: this may be the call of a listener.
                self._poller.later(0, self._stop_listening)
            self._paired((front_end, back_end))

    def _is_wanted(self, side: Side) -> bool:
        if self.finished:
            return False
        if self._calls_both:
            return self._calling and not self._waiting[side]
        return bool(self._waiting[1 - side])

    def _dial(self, side: Side) -> bool:
        try:
            sock = dial(self._addresses[side])
        except AddressError as error:
            self._give_up(side, str(error))
            return False
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
            self._warn(f"no connection can be made: {error.strerror}: trying again until it works")

    def _lose_patience(self) -> None:
        """Say so when a side is not there at once, and give up after a while on one that is dialled."""
        for side in _SIDES:
            since = self._missing_since(side)
            if since is None:
                continue
            waited = monotonic() - since
            address = self._addresses[side]
            if side in self._dialled and waited >= self._patience:
                self._give_up(side, f"nobody listens at {address}: gave up after {self._patience:g} s (see --wait)")
            elif waited >= _SAY_SO_SECONDS and side not in self._said_so:
                self._said_so.add(side)
                self._warn(f"waiting for the {side.label} at {address}")

    def _missing_since(self, side: Side) -> float | None:
        """Since when a side has been missing, None if it is not."""
        if self._calls_both:
            return self._calling_since if self._calling and not self._waiting[side] else None
        counterparts = self._waiting[1 - side]
        return counterparts[0].since if counterparts else None

    def _give_up(self, side: Side, reason: str) -> None:
        self._warn(reason)
        self.gave_up += 1
        if self._calls_both or self._once:
            self.finished = True
            self._calling = False
        counterpart = Side(1 - side)
        if self._waiting[counterpart]:
            self._leave_alone(counterpart, self._waiting[counterpart][0], Side.PROXY, f"the {side.label} is not there")

    def _leave_alone(self, side: Side, waiting: _Waiting, by: Side, how: str) -> None:
        self._waiting[side].remove(waiting)
        self._poller.forget(waiting.socket.fileno())
        self._left_alone(side, waiting.socket, by, how)
