"""The lines of each connection: the main one, and those that messages hand over."""

import os
import socket
from collections.abc import Sequence

from vudissect.protocol.model import Channel
from vudissect.replay.line import MOST_PIXELS, Line, Parcel, SocketLine
from vudissect.replay.stock import Stock
from vudissect.session.event import Event
from vudissect.wire.header import ByteOrder


class _Ahead:
    """A line of which a message was read that is to be read once more."""

    def __init__(self, line: Line, parcel: Parcel) -> None:
        self.line = line
        self._parcel: Parcel | None = parcel
        self.send, self.fall_silent, self.peer = line.send, line.fall_silent, line.peer

    def receive(self, deadline: float, order: ByteOrder) -> Parcel:
        """See `Line`."""
        parcel, self._parcel = self._parcel, None
        return parcel if parcel is not None else self.line.receive(deadline, order)

    def close(self) -> None:
        """See `Line`."""
        for fd in self._parcel.descriptors if self._parcel is not None else ():
            os.close(fd)
        self.line.close()


class Channels:
    """Which lines there are, by connection and channel."""

    def __init__(self, stock: Stock) -> None:
        self._lines: dict[tuple[int, Channel], Line] = {}
        self._stock = stock

    @property
    def connections(self) -> tuple[int, ...]:
        """The connections that are open."""
        return tuple(connection for connection, channel in self._lines if channel is Channel.MAIN)

    def line(self, connection: int, channel: Channel) -> Line | None:
        """The line of a channel, if it is open."""
        return self._lines.get((connection, channel))

    def of(self, connection: int) -> list[tuple[Channel, Line]]:
        """The lines of a connection, the main one first."""
        return sorted(
            ((channel, line) for (number, channel), line in self._lines.items() if number == connection),
            key=lambda item: item[0],
        )

    def open(self, connection: int, line: Line) -> None:
        """A connection has been made."""
        self._lines[connection, Channel.MAIN] = line

    def handed_over(self, live: Event, fds: Sequence[int], *, ours: bool) -> None:
        """A message has passed: if it hands a channel over, that is open now. `ours`: we have sent it."""
        row = live.message.row if live.message is not None and not live.message.reply else None
        if row is None or row.opens is None or len(fds) != 1:
            return
        try:
            end = self._stock.take_other_end(fds[0]) if ours else os.dup(fds[0])
        except OSError as error:
            self._stock.remarks[f"the {row.opens.label} channel is not opened: {error.strerror}"] = None
            return
        if end is None:
            return
        try:
            line = SocketLine(socket.socket(fileno=end), *([MOST_PIXELS] if row.opens is Channel.GPU else []))
        except OSError:  # some hand over a pipe
            os.close(end)
            return
        self.hang_up(live.record.connection, row.opens)
        self._lines[live.record.connection, row.opens] = line

    def push_back(self, connection: int, channel: Channel, parcel: Parcel) -> None:
        """Let a message be received once more."""
        self._lines[connection, channel] = _Ahead(self._lines[connection, channel], parcel)

    def hang_up(self, connection: int, channel: Channel) -> None:
        """Close one channel, if it is open."""
        line = self._lines.pop((connection, channel), None)
        if line is not None:
            line.close()

    def close_all(self, connection: int) -> None:
        """Close all channels of a connection."""
        for channel, _ in self.of(connection):
            self.hang_up(connection, channel)

    def close(self) -> None:
        """Close everything."""
        for line in self._lines.values():
            line.close()
        self._lines.clear()
