"""Every wait of a case ends, whatever the back-end does."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from vudissect.check.discovery import Discovered
from vudissect.check.link import Clock
from vudissect.check.model import Behaviour
from vudissect.check.program import Connecting
from vudissect.check.room import Room
from vudissect.check.stage import DeviationError, Stage
from vudissect.check.verbs import act
from vudissect.conversation.descriptors import of_kind
from vudissect.host.descriptor import DescriptorKind
from vudissect.protocol.model import Channel
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import UPSTREAM
from vudissect.wire.header import VERSION, struct_of

_LARGE = 1 << 20
_PIPE = of_kind(DescriptorKind.PIPE, "1")
_CHANGED = next(row.id for row in UPSTREAM.channel(Channel.BACKEND) if row.purpose is Purpose.CHANGE_CONFIG)
_MESSAGE = struct_of("III", "little").pack(_CHANGED, VERSION, 0)


class Silent(Connecting):
    """A back-end that accepts a connection, and says nothing on it."""

    def __init__(self) -> None:
        super().__init__("", Clock())
        self._ours, self.theirs = socket.socketpair()

    def connect(self, deadline: float) -> socket.socket:
        return self._ours


@pytest.fixture
def room() -> Iterator[Room]:
    backend = Silent()
    stage = Stage(backend, None, 0.1)
    stage.connect()
    yield Room(stage, backend, Discovered(0, 0))
    stage.close()
    backend.theirs.close()


def flood(sock: socket.socket) -> None:
    with suppress(OSError):
        while True:
            sock.sendall(_MESSAGE * 100)


def test_a_flood_on_the_channel_does_not_hide_that_no_answer_comes(room: Room) -> None:
    ours, theirs = socket.socketpair()
    room.stage.channels.open(1, Channel.BACKEND, ours.detach())
    writing = threading.Thread(target=flood, args=(theirs,))
    writing.start()

    answered = room.stage.answer()

    assert answered is None
    room.stage.channels.hang_up()
    writing.join()
    theirs.close()


def test_a_state_that_nobody_reads_is_not_written_for_ever(room: Room) -> None:
    room.kept = bytes(_LARGE)
    room.stage.objects.give(_PIPE)

    with pytest.raises(DeviationError, match="bytes of the state are not read") as raised:
        act(room, "write the state")

    assert raised.value.behaviour is Behaviour.SILENT
