"""A channel with faults: its pumps ask what to do with messages, and what concerns both directions is done here."""

import socket
from collections.abc import Callable
from contextlib import suppress

from vudissect.protocol.model import Channel
from vudissect.proxy.direction import Direction
from vudissect.proxy.faulted_pump import FaultedPump
from vudissect.proxy.faulting import Faults, HangUp, Inject
from vudissect.proxy.link import Link, LinkClosed, Wire
from vudissect.proxy.passed import Numbering
from vudissect.proxy.pump import Ends, Interposing
from vudissect.proxy.shared import Shared
from vudissect.wire.framing import Piece


class FaultedLink(Link):
    """Relays with faults. `other` returns the link of another channel of the connection, if it is open."""

    def __init__(
        self,
        wire: Wire,
        numbering: Numbering,
        shared: Shared,
        faults: Faults,
        notify: Callable[[LinkClosed], None],
        interposing: Interposing | None,
        other: Callable[[Channel], Link | None],
    ) -> None:
        self._faults = faults
        self._other = other
        # By `Side`.
        self._faulted: list[FaultedPump] = []
        super().__init__(wire, numbering, shared, notify, interposing)

    def inject(self, step: Inject, piece: Piece) -> bool:
        """Queue a message in the place of a side; whether there is such a channel."""
        link = self if step.channel is self.channel else self._other(step.channel)
        if not isinstance(link, FaultedLink) or not link._open:
            return False
        link._faulted[step.sender].inject(piece)
        return True

    def hang_up(self, step: HangUp) -> None:
        """Close the connection in the place of a side, or only what that side sends."""
        if not self._open:
            return
        side, how = step.side, f"fault {step.number}"
        self._leave(side, how)
        if not step.half:
            self._close()
            return
        self._silenced[side] = self._passed_on[side] = True
        with suppress(OSError):
            self._sockets[1 - side].shutdown(socket.SHUT_WR)
        self._faulted[side].break_off(how)

    def stall(self, seconds: float) -> None:
        """Pass nothing on for so many seconds."""
        for pump in self._faulted:
            pump.stall(seconds)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` once, after so many seconds."""
        self._poller.later(seconds, action)

    def _new_pump(
        self, direction: Direction, ends: Ends, shared: Shared, interposing: Interposing | None
    ) -> FaultedPump:
        pump = FaultedPump(direction, ends, shared.recorder, self._on_notice, interposing, self._faults, self)
        self._faulted.append(pump)
        return pump
