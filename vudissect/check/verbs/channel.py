"""The channel on which the back-end asks."""

import time

from vudissect.analysis import Analysis
from vudissect.check.judging import OURS
from vudissect.check.model import Behaviour
from vudissect.check.room import Room
from vudissect.check.stage import DeviationError
from vudissect.check.verbs.registry import verb
from vudissect.lint.finding import Blame
from vudissect.protocol.model import Channel
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


@verb(r"the back-end does not break (VU-[A-Z]+-\d+)", "the linter does not find that it broke this rule so far")
def keeps(room: Room, rule: str) -> None:
    """Rules know more about what is asked than a case."""
    for finding in Analysis(room.stage.recorder.records, dialect=OURS).lint().findings:
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
