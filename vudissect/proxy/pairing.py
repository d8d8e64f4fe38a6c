"""Finding the two sides of a connection: accepting, dialling, and waiting for a side that is not there yet.

If one side listens and the other is dialled, each peer that connects gets a connection of its own. If both
listen, peers are paired in the order in which they arrive. If both are dialled, there is one connection at a time.
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
from vudissect.proxy.diagnostics import Throttled, Warn
from vudissect.proxy.poller import READABLE, Poller
from vudissect.proxy.shared import Settings

_SIDES = (Side.FRONT_END, Side.BACK_END)
_DIAL_AGAIN_SECONDS = 0.05
_REPORT_SECONDS = 0.3
_ACCEPT_AGAIN_SECONDS = 0.1
_BACK_OFF_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Paired:
    """The two sides of a connection, indexed by `Side`."""

    sockets: tuple[socket.socket, socket.socket]


@dataclass(frozen=True, slots=True)
class Unpaired:
    """A peer whose counterpart never came: its side and socket, who ended the wait, and how."""

    side: Side
    socket: socket.socket
    by: Side
    how: str


@dataclass(eq=False, slots=True)
class _Unmatched:
    """A peer whose counterpart has not come yet, the time of its arrival and the current round of looking for it."""

    socket: socket.socket
    since: float
    round: int


class Pairing:
    """Reports the two sides of each connection, and peers whose counterpart never came.

    `gave_up` counts how often a side was missing for the configured time; `finished` means that there will be no more
    connections.
    """

    def __init__(
        self,
        settings: Settings,
        poller: Poller,
        warn: Warn,
        notify: Callable[[Paired | Unpaired], None],
        refuse: Callable[[], bool] = lambda: False,
    ) -> None:
        """Begin to listen; raises `AddressError` if that is not possible.

        `refuse`: whether to hang up on a front-end that has just connected.
        """
        self.gave_up = 0
        self.finished = False
        addresses = self._addresses = (settings.front_end, settings.back_end)
        self._patience = settings.wait
        # A descriptor that was already connected when we inherited it cannot be connected again.
        self._once = settings.once or any(
            address.fd is not None and address.role is Role.CONNECT for address in addresses
        )
        self._poller = poller
        self._warn_of_waiting = tuple(Throttled(warn) for _ in _SIDES)
        self._warn_of_missing = tuple(Throttled(warn) for _ in _SIDES)
        self._warn_of_shortage = Throttled(warn)
        self._notify = notify
        self._refuse = refuse
        self._unmatched: tuple[deque[_Unmatched], deque[_Unmatched]] = (deque(), deque())
        self._dialled = tuple(side for side in _SIDES if addresses[side].role is Role.CONNECT)
        self._calls_both = len(self._dialled) == len(_SIDES)
        self._calling = False
        self._calling_since = 0.0
        self._round = 0
        self._reported_waiting: set[Side] = set()
        self._ticking = False
        self._reported_shortage = False
        self._listeners: dict[Side, Listener] = {}
        try:
            for side in _SIDES:
                claim(addresses[side])
            refuse_same(*addresses)
            for side in _SIDES:
                if side not in self._dialled:
                    self._refuse_call(addresses[side])
                    self._listeners[side] = Listener(addresses[side], settings.access)
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
        """A pair has been served. If both sides are dialled, dial them again after a moment."""
        if self._calls_both and not self.finished:
            self._poller.later(_BACK_OFF_SECONDS, self._call)

    def close(self) -> None:
        """Stop accepting and dialling; peers that still wait are reported as unpaired."""
        self.finished = True
        self._calling = False
        self._stop_listening()
        for side in _SIDES:
            while self._unmatched[side]:
                self._report_unpaired(side, self._unmatched[side][0], Side.PROXY, "stopped")

    def _refuse_call(self, address: Address) -> None:
        """Make sure that the proxy would not connect to itself; raises `AddressError`."""
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
            self._reported_shortage = False
        except OSError as error:
            # The event would occur again and again: stop watching for a while.
            self._report_shortage(error)
            self._poller.change(listener.socket.fileno(), None)
            self._poller.later(_ACCEPT_AGAIN_SECONDS, self._watch_listeners)
        self._advance()

    def _arrived(self, side: Side, sock: socket.socket) -> None:
        if side is Side.FRONT_END and self._refuse():
            sock.close()
            return
        peer = _Unmatched(sock, monotonic(), self._round)
        self._unmatched[side].append(peer)
        # Nothing is read until there is somebody to forward it to; only a hang-up matters.
        hung_up = partial(self._hung_up, side, peer)
        self._poller.watch(sock.fileno(), 0, hung_up, lambda _: hung_up())

    def _hung_up(self, side: Side, peer: _Unmatched) -> None:
        self._report_unpaired(side, peer, side, "before its counterpart came")
        if side in self._dialled and self._addresses[side].fd is not None:
            self.finished = True
        elif self._calling:
            # The next peer gets the full waiting time.
            self._calling = False
            self._poller.later(_BACK_OFF_SECONDS, self._call)

    def _advance(self) -> None:
        """Do what can be done now, and come back soon if that was not everything."""
        self._pair_up()
        for side in self._dialled:
            while self._is_wanted(side) and self._dial(side):
                self._pair_up()
        self._give_up_on_missing()
        self._round += 1
        if not self._ticking and (self._calling or any(self._unmatched)):
            self._ticking = True
            self._poller.later(_DIAL_AGAIN_SECONDS, self._tick)

    def _tick(self) -> None:
        self._ticking = False
        self._advance()

    def _pair_up(self) -> None:
        front_ends, back_ends = self._unmatched
        while front_ends and back_ends and not self.finished:
            if [side for side in _SIDES if self._first_has_left(side)]:
                continue
            front_end, back_end = front_ends.popleft().socket, back_ends.popleft().socket
            self._poller.forget(front_end.fileno())
            self._poller.forget(back_end.fileno())
            self._calling = False
            self._reported_waiting.clear()
            if self._once:
                self.finished = True
                # Not at once: this may be the callback of a listener.
                self._poller.later(0, self.close)
            self._notify(Paired((front_end, back_end)))

    def _first_has_left(self, side: Side) -> bool:
        """Whether the first waiting peer is gone for good: it is not paired then.

        A peer that has just arrived is not checked: what it sent before it hung up must be delivered.
        """
        first = self._unmatched[side][0]
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
            return self._calling and not self._unmatched[side]
        return bool(self._unmatched[1 - side])

    def _dial(self, side: Side) -> bool:
        """Connect; False if nothing more can be done about this side now."""
        try:
            self._refuse_call(self._addresses[side])
            sock = dial(self._addresses[side])
        except AddressError as error:
            self._give_up(side, str(error))
            return True
        except OSError as error:
            self._report_shortage(error)
            return False
        if sock is None:
            return False
        self._arrived(side, sock)
        return True

    def _report_shortage(self, error: OSError) -> None:
        """Too many open files, usually."""
        if not self._reported_shortage:
            self._reported_shortage = True
            self._warn_of_shortage(f"cannot make a connection: {error.strerror}: trying until it works")

    def _give_up_on_missing(self) -> None:
        """Report a missing side at once, and give up after a while on one that is dialled."""
        for side in _SIDES:
            address = self._addresses[side]
            while side in self._dialled and self._waited_for(side) >= self._patience:
                self._give_up(side, f"nobody listens at {address}: gave up after {self._patience:g} s (see --wait)")
            if self._waited_for(side) >= _REPORT_SECONDS and side not in self._reported_waiting:
                self._reported_waiting.add(side)
                self._warn_of_waiting[side](f"waiting for the {side.label} at {address}")

    def _waited_for(self, side: Side) -> float:
        """How many seconds a side has been missing, -1 if it is not."""
        if self._calls_both:
            return monotonic() - self._calling_since if self._calling and not self._unmatched[side] else -1
        counterparts = self._unmatched[1 - side]
        return monotonic() - counterparts[0].since if counterparts and not self.finished else -1

    def _give_up(self, side: Side, reason: str) -> None:
        self._warn_of_missing[side](reason)
        self.gave_up += 1
        counterpart = Side(1 - side)
        if self._unmatched[counterpart]:
            self._report_unpaired(
                counterpart, self._unmatched[counterpart][0], Side.PROXY, f"the {side.label} is not there"
            )
        if self._calls_both or (self._once and not self._unmatched[counterpart]):
            self.finished = True
            self._calling = False

    def _report_unpaired(self, side: Side, peer: _Unmatched, by: Side, how: str) -> None:
        self._unmatched[side].remove(peer)
        self._poller.forget(peer.socket.fileno())
        if not self._unmatched[side]:
            self._reported_waiting.discard(Side(1 - side))
        self._notify(Unpaired(side, peer.socket, by, how))
