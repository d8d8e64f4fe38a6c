"""The streams of each connection: the main one, and those that messages hand over."""

import os
import socket
from collections.abc import Sequence

from vudissect.protocol.model import Channel
from vudissect.replay.descriptors import DescriptorPool
from vudissect.replay.stream import MOST_PIXELS, RawMessage, SocketStream, Stream
from vudissect.session.event import MessageEvent
from vudissect.wire.header import ByteOrder


class _Ahead:
    """A stream with one message pushed back."""

    def __init__(self, stream: Stream, raw: RawMessage) -> None:
        self.stream = stream
        self._parcel: RawMessage | None = raw
        self.send, self.shut_down, self.peer = stream.send, stream.shut_down, stream.peer

    def receive(self, deadline: float, order: ByteOrder) -> RawMessage:
        """See `Stream`."""
        raw, self._parcel = self._parcel, None
        return raw if raw is not None else self.stream.receive(deadline, order)

    def close(self) -> None:
        """See `Stream`."""
        for fd in self._parcel.descriptors if self._parcel is not None else ():
            os.close(fd)
        self.stream.close()


class Channels:
    """The open streams, by connection and channel."""

    def __init__(self, pool: DescriptorPool) -> None:
        self._streams: dict[tuple[int, Channel], Stream] = {}
        self._pool = pool

    @property
    def connections(self) -> tuple[int, ...]:
        """The connections that are open."""
        return tuple(connection for connection, channel in self._streams if channel is Channel.MAIN)

    def stream(self, connection: int, channel: Channel) -> Stream | None:
        """The stream of a channel, if it is open."""
        return self._streams.get((connection, channel))

    def of(self, connection: int) -> list[tuple[Channel, Stream]]:
        """The streams of a connection, the main one first."""
        return sorted(
            ((channel, stream) for (number, channel), stream in self._streams.items() if number == connection),
            key=lambda item: item[0],
        )

    def open(self, connection: int, stream: Stream) -> None:
        """Note a new connection."""
        self._streams[connection, Channel.MAIN] = stream

    def handed_over(self, live: MessageEvent, fds: Sequence[int], *, ours: bool) -> None:
        """Note a passed message: if it hands a channel over, that is open now. `ours`: we have sent it."""
        row = live.message.row
        if live.message.reply or row.opens is None or len(fds) != 1:
            return
        try:
            end = self._pool.take_other_end(fds[0]) if ours else os.dup(fds[0])
        except OSError as error:
            self._pool.remarks[f"cannot open the {row.opens.label} channel: {error.strerror}"] = None
            return
        if end is None:
            return
        try:
            stream = SocketStream(socket.socket(fileno=end), *([MOST_PIXELS] if row.opens is Channel.GPU else []))
        except OSError:  # some hand over a pipe
            os.close(end)
            return
        self.hang_up(live.record.connection, row.opens)
        self._streams[live.record.connection, row.opens] = stream

    def push_back(self, connection: int, channel: Channel, raw: RawMessage) -> None:
        """Make a message the next one to be received again."""
        self._streams[connection, channel] = _Ahead(self._streams[connection, channel], raw)

    def hang_up(self, connection: int, channel: Channel) -> None:
        """Close one channel, if it is open."""
        stream = self._streams.pop((connection, channel), None)
        if stream is not None:
            stream.close()

    def close_all(self, connection: int) -> None:
        """Close all channels of a connection."""
        for channel, _ in self.of(connection):
            self.hang_up(connection, channel)

    def close(self) -> None:
        """Close everything."""
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()
