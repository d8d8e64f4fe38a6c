"""The proxy at work: one thread, one loop, any number of connections."""

import os
import socket
from dataclasses import dataclass
from math import inf
from time import monotonic

from vudissect.capture.record import RecordKind
from vudissect.host.address import Address
from vudissect.protocol.model import Channel, Side
from vudissect.proxy.connection import Connection
from vudissect.proxy.pairing import Pairing
from vudissect.proxy.poller import READABLE, Poller
from vudissect.proxy.recorder import Recorder
from vudissect.proxy.voice import Repeated, Warn
from vudissect.wire.header import ByteOrder

# Recording has its turn when nothing happens for a moment, and after this time even under load.
_LONGEST_DELAY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Settings:
    """What a relay is to do: where the front-end and the back-end are, and how to treat them."""

    front_end: Address
    back_end: Address
    once: bool = False
    wait: float = 30.0
    interpose: bool = True
    byte_order: ByteOrder | None = None


class Relay:
    """Relays and records until it is stopped, or nothing more can come. Listens as soon as it is made.

    `connections` counts the pairs that were made, `gave_up` how often a side was not there in time, `failures` the
    errors of the relay itself.
    """

    def __init__(self, settings: Settings, recorder: Recorder, warn: Warn) -> None:
        """`AddressError` if an address cannot be used."""
        self.connections = 0
        self.failures = 0
        self._say_what_failed = Repeated(warn)
        self._say_what_is_unrecorded = Repeated(warn)
        self._settings = settings
        self._recorder = recorder
        self.poller = Poller(self._failed)
        self._active: set[Connection] = set()
        self._numbers = 0
        self._stopping = False
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._pairing = Pairing(
            (settings.front_end, settings.back_end),
            settings.wait,
            settings.once,
            self.poller,
            warn,
            self._paired,
            self._left_alone,
        )

    @property
    def gave_up(self) -> int:
        """How often the other side was not there in time."""
        return self._pairing.gave_up

    def run(self) -> None:
        """Relay until `stop` is called or nothing more can come; what was received by then has been forwarded."""
        poller, recorder, pairing = self.poller, self._recorder, self._pairing
        poller.watch(self._wake, READABLE, self._woken, lambda _: self._woken())
        pairing.start()
        drain_at = inf
        while not self._stopping and (self._active or not pairing.finished):
            happened = poller.run(recorder.patience)
            if recorder.full or monotonic() >= drain_at:
                recorder.drain()
            elif not happened:
                recorder.use_pause()
            if not recorder.waiting:
                drain_at = inf
            elif drain_at == inf:
                drain_at = monotonic() + _LONGEST_DELAY_SECONDS
        pairing.close()
        for connection in tuple(self._active):
            connection.finish(Side.PROXY, "stopped")
        while self._active:
            poller.run(None)
        poller.close_retired()

    def close(self) -> None:
        """Listen no longer, and release what `run` has used."""
        self._pairing.close()
        self.poller.close()
        os.close(self._wake)

    def stop(self) -> None:
        """Have `run` return soon; may be called from anywhere, even a signal handler or another thread."""
        os.eventfd_write(self._wake, 1)

    def _woken(self) -> None:
        self._stopping = True

    def _failed(self, fd: int | None, error: Exception) -> None:
        """A fault of this program's costs the connection that it was met on, and no other."""
        self.failures += 1
        text = f"internal error: {error!r}"
        self._say_what_failed(f"{text}: please report it")
        self._recorder.event(RecordKind.NOTE, 0, Channel.MAIN, 0, {"text": text})
        for connection in tuple(self._active):
            if fd is not None and connection.owns(fd):
                connection.abort(text)

    def _paired(self, sockets: tuple[socket.socket, socket.socket]) -> None:
        self.connections += 1
        self._connect(sockets, None)

    def _left_alone(self, side: Side, peer: socket.socket, by: Side, how: str) -> None:
        """Record what a peer has said to nobody, as a connection whose other side has never been there."""
        try:
            dead_end, other_end = socket.socketpair()
        except OSError as error:
            self._say_what_is_unrecorded(f"what the {side.label} has said is not recorded: {error.strerror}")
            peer.close()
            return
        other_end.close()
        sockets = (peer, dead_end) if side is Side.FRONT_END else (dead_end, peer)
        self._connect(sockets, Side(1 - side)).finish(by, how)

    def _connect(self, sockets: tuple[socket.socket, socket.socket], missing: Side | None) -> Connection:
        self._numbers += 1
        connection = Connection(
            self._numbers,
            sockets,
            missing,
            self._settings.byte_order,
            self._settings.interpose,
            self.poller,
            self._recorder,
            self._closed,
        )
        self._active.add(connection)
        return connection

    def _closed(self, connection: Connection) -> None:
        self._active.discard(connection)
        if connection.is_pair:
            self._pairing.connection_ended()
