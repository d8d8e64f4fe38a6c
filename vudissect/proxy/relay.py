"""The proxy at work: one thread, one loop, any number of pairs of addresses and of connections."""

import os
import socket
from collections.abc import Mapping, Sequence
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from vudissect.capture.record import RecordKind
from vudissect.host.address import AddressError
from vudissect.protocol.model import Channel, Side
from vudissect.proxy.connection import Connection, Peers
from vudissect.proxy.diagnostics import Throttled, Warn
from vudissect.proxy.pairing import Paired, Pairing, Unpaired
from vudissect.proxy.poller import READABLE, Poller
from vudissect.proxy.recorder import Recorder
from vudissect.proxy.shared import Settings, Shared

if TYPE_CHECKING:
    from vudissect.proxy.faulting import Faults

# Recording gets its turn when nothing happens for a moment, and after this time even under load.
_LONGEST_DELAY_SECONDS = 0.1


class Relay:
    """Relays and records until it is stopped, or there will be no more connections. Listens from its creation.

    `name` tells it from other relays: it is where its first front-end is. `connections` counts the pairs, `gave_up`
    how often a side did not come in time, `failures` the errors of the relay itself.
    """

    def __init__(
        self, pairs: Sequence[Settings], recorder: Recorder, warn: Warn, faults: "Faults | None" = None
    ) -> None:
        """Raises `AddressError` if an address cannot be used."""
        self.name = str(pairs[0].front_end)
        self.connections = 0
        self.failures = 0
        self._warn_of_failure = Throttled(warn)
        self._warn_of_unrecorded = Throttled(warn)
        self._recorder = recorder
        self._faults = faults
        if faults is not None:
            recorder.show_records(faults.see)
        self.poller = Poller(self._failed)
        self._active: set[Connection] = set()
        self._numbers = 0
        self._stopping = self._ending = self._is_held = False
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._pairings: list[Pairing] = []
        try:
            for settings in pairs:
                self._pairings.append(self._pairing(settings, warn))
        except AddressError:
            self.close()
            raise

    @property
    def gave_up(self) -> int:
        """How often the other side did not come in time."""
        return sum(pairing.gave_up for pairing in self._pairings)

    def run(self) -> None:
        """Relay until `stop` is called or no more connections can come; everything received by then is forwarded."""
        poller, recorder = self.poller, self._recorder
        poller.watch(self._wake, READABLE, self._woken, lambda _: self._woken())
        for pairing in self._pairings:
            pairing.start()
        drain_at = 0.0
        while not self._stopping and (self._active or self._expects_more()):
            patience = recorder.patience
            if not (poller.run_on(recorder.has_room) if recorder.backlog else poller.run(patience)):
                recorder.use_pause()
            elif patience is None:
                drain_at = monotonic() + _LONGEST_DELAY_SECONDS
            elif not recorder.has_room() or monotonic() >= drain_at:
                recorder.drain()
                drain_at = monotonic() + _LONGEST_DELAY_SECONDS
        for pairing in self._pairings:
            pairing.close()
        for connection in tuple(self._active):
            connection.finish(Side.PROXY, "stopped")
        while self._active:
            poller.run(None)
        poller.close_retired()

    def close(self) -> None:
        """Stop listening, and release the resources of `run`."""
        for pairing in self._pairings:
            pairing.close()
        self.poller.close()
        os.close(self._wake)

    def stop(self) -> None:
        """Make `run` return soon; may be called from anywhere, even a signal handler or another thread."""
        os.eventfd_write(self._wake, 1)

    @property
    def is_connected(self) -> bool:
        """Whether a connection is open."""
        return bool(self._active)

    def hold(self) -> None:
        """Make `run` go on until `end` is called, also if no more connections can come."""
        self._is_held = True

    def end(self) -> None:
        """Make `run` return as soon as no connection is open."""
        self._ending = True

    def observed(self, connection: int, details: Mapping[str, str | int]) -> None:
        """Record what was seen in a ring of a connection, unless it is closed already."""
        for active in self._active:
            if active.number == connection:
                active.observed(details)

    def _expects_more(self) -> bool:
        return not self._ending and (self._is_held or not all(pairing.finished for pairing in self._pairings))

    def _pairing(self, settings: Settings, warn: Warn) -> Pairing:
        shared = Shared(settings, self.poller, self._recorder, self._faults)
        pairing = Pairing(
            settings, self.poller, warn, lambda event: self._on_pairing(event, shared, pairing), self._refuses
        )
        return pairing

    def _refuses(self) -> bool:
        """Whether a fault refuses a new connection."""
        details = self._faults.refuse() if self._faults is not None else None
        if details is not None:
            self._recorder.event(RecordKind.FAULT, 0, Channel.MAIN, 0, details)
        return details is not None

    def _woken(self) -> None:
        self._stopping = True

    def _failed(self, fd: int | None, error: Exception) -> None:
        """A fault of this program costs the connection on which it occurred, and no other."""
        self.failures += 1
        text = f"internal error: {error!r}"
        self._warn_of_failure(f"{text}: please report it")
        self._recorder.event(RecordKind.NOTE, 0, Channel.MAIN, 0, {"text": text})
        for connection in tuple(self._active):
            if fd is not None and connection.owns(fd):
                connection.abort(text)

    def _on_pairing(self, event: Paired | Unpaired, shared: Shared, pairing: Pairing) -> None:
        if isinstance(event, Paired):
            self.connections += 1
            self._connect(Peers(event.sockets), shared, pairing)
        else:
            self._record_unpaired(event, shared, pairing)

    def _record_unpaired(self, event: Unpaired, shared: Shared, pairing: Pairing) -> None:
        """Record what a peer has sent to nobody, as a connection whose other side was never there."""
        try:
            dead_end, other_end = socket.socketpair()
        except OSError as error:
            self._warn_of_unrecorded(f"data from the {event.side.label} is not recorded: {error.strerror}")
            event.socket.close()
            return
        other_end.close()
        sockets = (event.socket, dead_end) if event.side is Side.FRONT_END else (dead_end, event.socket)
        peers = Peers(sockets, missing=Side(1 - event.side))
        self._connect(peers, shared, pairing).finish(event.by, event.how)

    def _connect(self, peers: Peers, shared: Shared, pairing: Pairing) -> Connection:
        self._numbers += 1
        connection = Connection(self._numbers, peers, shared, partial(self._closed, pairing))
        self._active.add(connection)
        return connection

    def _closed(self, pairing: Pairing, connection: Connection) -> None:
        self._active.discard(connection)
        if connection.is_pair:
            pairing.connection_ended()
