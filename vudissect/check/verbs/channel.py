"""The channel on which the back-end asks."""

import time
from mmap import PAGESIZE

from vudissect.check.judging import findings_in
from vudissect.check.model import Behaviour
from vudissect.check.room import Room
from vudissect.check.stage import DeviationError
from vudissect.check.verbs.registry import verb
from vudissect.lint.finding import Blame
from vudissect.protocol.features import GPU_FEATURES
from vudissect.protocol.model import Channel
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import UPSTREAM
from vudissect.wire.codec import WireMessage
from vudissect.wire.fields import to_fields

_NOTHING_HAPPENS = 0.1
_LOOK_EVERY = 0.005
_NAMES = "|".join(row.name for channel in (Channel.BACKEND, Channel.GPU) for row in UPSTREAM.channel(channel))
_RESULTS = {"done": 0, "refused": 1, "not acknowledged": None}
_NONSENSE = b"\xa5" * 64


@verb(r"the first channel is closed", "the back-end has closed the socket of the channel that was replaced")
def first_channel_closed(room: Room) -> None:
    """It has nobody to talk to on it."""
    room.barrier()
    earlier = room.stage.channels.earlier
    if earlier is None:
        raise DeviationError(Behaviour.FAILED, "there was no first channel")
    deadline = room.stage.soon(_NOTHING_HAPPENS)
    ready = room.stage.clock.poll([earlier.socket.fileno()], deadline)
    if not ready or earlier.socket.recv(1):
        raise DeviationError(Behaviour.FAILED, "the socket of the first channel is still open")


@verb(r"close the channel", "our end of the channel is closed")
def close_channel(room: Room) -> None:
    """As a front-end that has no use for it."""
    room.stage.channels.hang_up()


@verb(r"write nonsense to the channel", "64 bytes that are not a message are written to our end of the channel")
def nonsense(room: Room) -> None:
    """Nothing was asked."""
    room.stage.channels.write(_NONSENSE)


@verb(r"what is asked on the channel is (done|refused|not acknowledged)", "how it is acknowledged from now on")
def acknowledge(room: Room, how: str) -> None:
    """Before it is said, everything is done."""
    room.stage.channels.result = _RESULTS[how]


@verb(
    rf"({_NAMES}) comes on the channel( about the object)?",
    "this is the next request on the channel; about the object whose UUID was given",
)
def asked(room: Room, name: str, about: str | None) -> None:
    """Nothing else is asked for before."""
    request = _next(room)
    if request.name != name:
        raise DeviationError(Behaviour.FAILED, f"{request.name} comes on the channel, not {name}")
    if request.problem:
        raise DeviationError(Behaviour.FAILED, f"{name} on the channel: {request.problem}")
    if about and to_fields(request.layout, request.values).get("uuid") != room.values["uuid"]:
        raise DeviationError(Behaviour.FAILED, f"{name} is about another object than {room.values['uuid']}")


@verb(r"the front-end knows EDIDs", "it offers EDID on the channel of a GPU, and answers GET_EDID")
def knows_edids(room: Room) -> None:
    """As QEMU since 8.1."""
    room.stage.channels.gpu_features = GPU_FEATURES.mask("EDID")


@verb(rf"({_NAMES}) does not come on the channel", "it does not, up to 100 ms after an answer to another question")
def not_asked(room: Room, name: str) -> None:
    """Other things may."""
    room.barrier()
    deadline = time.monotonic() + _NOTHING_HAPPENS
    while time.monotonic() < deadline:
        room.stage.channels.serve()
        room.stage.clock.sleep(_LOOK_EVERY)
    if any(request.name == name for request in room.stage.channels.requests):
        raise DeviationError(Behaviour.FAILED, f"{name} comes on the channel")


@verb(r"host notifiers are whole pages", "what came about them so far is about whole pages; it may be nothing")
def whole_pages(room: Room) -> None:
    """As they are mapped."""
    room.barrier()
    room.stage.channels.serve()
    for request in room.stage.channels.requests:
        if request.row.purpose is Purpose.PASS_NOTIFIER:
            fields = to_fields(request.layout, request.values)
            if fields["size"] % PAGESIZE or fields["offset"] % PAGESIZE or not fields["size"]:
                where = f"{fields['size']} bytes at {fields['offset']:#x}"
                raise DeviationError(Behaviour.FAILED, f"{request.name} is about {where}, not about whole pages")


@verb(r"the back-end does not break (VU-[A-Z]+-\d+)", "the linter does not find that it broke this rule so far")
def keeps(room: Room, rule: str) -> None:
    """Rules know more about what is asked than a case."""
    for finding in findings_in(room.stage.recorder.records, room.discovered.device):
        if finding.rule == rule and finding.blame is Blame.BACK_END:
            raise DeviationError(Behaviour.FAILED, f"{rule}: {finding.message}")


def _next(room: Room) -> WireMessage:
    stage, deadline = room.stage, room.stage.deadline
    while True:
        stage.channels.serve()
        if stage.channels.requests:
            return stage.channels.requests.pop(0)
        if time.monotonic() >= deadline:
            raise DeviationError(Behaviour.FAILED, f"nothing comes on the channel within {stage.timeout:g} s")
        stage.clock.sleep(_LOOK_EVERY)
