"""The channels on which a back-end asks: what it asks is recorded, kept, and answered as a front-end would."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress

from vudissect.capture.record import Record
from vudissect.check.link import Clock, Incoming, Link, LinkError
from vudissect.check.recorder import Recorder
from vudissect.host.descriptor import Descriptor
from vudissect.protocol.gpu import DISPLAY_INFO, FEATURES_WORD
from vudissect.protocol.gpu import EDID as EDID_REPLY
from vudissect.protocol.model import Answer, Channel, Layout, Side
from vudissect.protocol.payloads import IOTLB, IOTLB_MISS
from vudissect.rings.gpu import EDID_SIZE, Response
from vudissect.wire.codec import WireMessage, layout_codec
from vudissect.wire.fields import Fields, from_fields, to_fields
from vudissect.wire.header import NEED_REPLY, REPLY, VERSION, struct_of

WIDTH, HEIGHT = 640, 480
"""The size of the only display of a front-end."""
EDID = bytes.fromhex("00ffffffffffff00") + bytes(range(120))
"""What it says about itself, as far as anybody looks at it here."""
_DISPLAYS: Fields = {"type": Response.OK_DISPLAYS, "displays": [{"width": WIDTH, "height": HEIGHT, "enabled": 1}]}
_HEADER = struct_of("III", "little")
_ACK = struct_of("Q", "little")

Heard = Callable[[int, Channel, Incoming], WireMessage]


class Channels:
    """Those of all connections of a case.

    `heard` records and decodes a message, `hear` takes a record of ours, `give` makes a descriptor.
    """

    def __init__(
        self,
        recorder: Recorder,
        clock: Clock,
        timeout: float,
        heard: Heard,
        hear: Callable[[Record], None],
        give: Callable[[Descriptor], int],
    ) -> None:
        self.requests: list[WireMessage] = []
        """What the back-end has asked for, oldest first."""
        self.gpu_features = 0
        """What the front-end offers on the channel of a GPU."""
        self.result: int | None = 0
        """How that is acknowledged; nothing is answered with None."""
        self.answers: list[Record] = []
        """How the next requests are answered: each with the first of these that has its channel and number."""
        self.ignored = 0
        """How many of the next requests are not answered."""
        self.missed: list[int] = []
        self.misses = 0
        """How many addresses were asked for in all."""
        self.earlier: Link | None = None
        """The channel before the one that is in use."""
        self._links: dict[tuple[int, Channel], Link] = {}
        self._recorder = recorder
        self._clock = clock
        self._timeout = timeout
        self._heard = heard
        self._hear = hear
        self._give = give

    @property
    def sockets(self) -> list[int]:
        """To be waited for."""
        return [link.socket.fileno() for link in self._links.values()]

    def open(self, connection: int, channel: Channel, end: int) -> None:
        """Use our end of a socket, which was passed just now."""
        earlier = self._links.pop((connection, channel), None)
        if earlier is not None:
            self.earlier = earlier
        self._links[connection, channel] = Link(socket.socket(fileno=end), self._clock)
        self._hear(self._recorder.channel_opened(connection, channel))

    def write(self, data: bytes) -> None:
        """Write bytes to all of them; `LinkError`."""
        for link in self._links.values():
            link.send(data, (), self._deadline)

    def serve(self) -> None:
        """Answer what the back-end asks; whoever closes a channel has it closed here."""
        for (connection, channel), link in list(self._links.items()):
            with suppress(BlockingIOError):
                try:
                    if self._clock.poll([link.socket.fileno()], 0):
                        link.read()
                    while (incoming := link.next()) is not None:
                        self._serve(connection, channel, link, self._heard(connection, channel, incoming))
                except LinkError:
                    self._links.pop((connection, channel)).close()

    def hang_up(self) -> None:
        """Close all of them while their connections go on."""
        for connection, channel in list(self._links):
            self._links.pop((connection, channel)).close()
            self._hear(self._recorder.channel_closed(connection, channel, Side.FRONT_END))

    def close(self, connection: int) -> None:
        """Close those of a connection that has ended."""
        for place in [place for place in self._links if place[0] == connection]:
            self._links.pop(place).close()

    def close_earlier(self) -> None:
        """Close the one before, at the end of a case."""
        if self.earlier is not None:
            self.earlier.close()

    @property
    def _deadline(self) -> float:
        return time.monotonic() + self._timeout

    def _serve(self, connection: int, channel: Channel, link: Link, request: WireMessage) -> None:
        self._note_miss(request)
        self.requests.append(request)
        if self.ignored:
            self.ignored -= 1
            return
        if (answer := self._answer_to(channel, request)) is not None:
            self._answered(connection, channel, link, answer.data, answer.descriptors)
            return
        if self.result is None or not (request.row.answer is Answer.ALWAYS or request.flags & NEED_REPLY):
            return
        if channel is Channel.GPU:
            flags, payload = REPLY, self._payload(request.row.reply[0]) if request.row.known else b""
        else:
            flags, payload = VERSION | REPLY, _ACK.pack(self.result)
        self._answered(connection, channel, link, _HEADER.pack(request.id, flags, len(payload)) + payload)

    def _answer_to(self, channel: Channel, request: WireMessage) -> Record | None:
        for answer in self.answers:
            if answer.channel is channel and answer.data[:4] == request.data[:4]:
                self.answers.remove(answer)
                return answer
        return None

    def _answered(
        self, connection: int, channel: Channel, link: Link, data: bytes, described: tuple[Descriptor, ...] = ()
    ) -> None:
        self._hear(self._recorder.message(connection, channel, Side.FRONT_END, data, described))
        link.send(data, tuple(self._give(each) for each in described), self._deadline)

    def _note_miss(self, request: WireMessage) -> None:
        if request.layout is IOTLB and request.fits:
            fields = to_fields(request.layout, request.values)
            if fields["type"] == IOTLB_MISS:
                self.misses += 1
                self.missed.append(fields["iova"])

    def _payload(self, layout: Layout) -> bytes:
        """What a front-end answers on the channel of a GPU that has one display."""
        fields: dict[Layout, Fields] = {
            DISPLAY_INFO: _DISPLAYS,
            FEATURES_WORD: {"features": self.gpu_features},
            EDID_REPLY: {"type": Response.OK_EDID, "size": len(EDID), "edid": EDID.ljust(EDID_SIZE, b"\0").hex()},
        }
        return layout_codec(layout, "little").encode(from_fields(layout, fields.get(layout, {})))
