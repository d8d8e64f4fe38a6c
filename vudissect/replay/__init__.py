"""Peers that play a recorded or scripted side over real sockets.

To play one side of a capture against a live peer:

    from vudissect.replay import Dial, Side, load, replay

    outcome = replay(load("boot.pcapng", Side.FRONT_END), Dial.at("back.sock"))
    assert outcome.ok, outcome.differences

The peer is reached with `Dial` or `Listen` at an address, with `Connected` over an open socket, or with `InMemory` as a
function; `Program` runs a program for the duration of a block.
"""

from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.compare.outcome import Difference, Outcome, Trouble
from vudissect.compare.policy import (
    EXACT,
    IGNORED,
    OPTIONAL,
    RELATED,
    Override,
    Policy,
    PolicyError,
    allow,
    override,
    overrides_of_file,
)
from vudissect.protocol.model import Side
from vudissect.replay.connector import Connected, Connector, Dial, InMemory, Listen
from vudissect.replay.player import Options, Player
from vudissect.replay.program import Program, ProgramError
from vudissect.replay.script import Script, script_of
from vudissect.replay.stream import RawMessage, StreamError

__all__ = [
    "EXACT",
    "IGNORED",
    "OPTIONAL",
    "RELATED",
    "Connected",
    "Connector",
    "Dial",
    "Difference",
    "InMemory",
    "Listen",
    "Options",
    "Outcome",
    "Override",
    "Policy",
    "PolicyError",
    "Program",
    "ProgramError",
    "RawMessage",
    "Script",
    "Side",
    "StreamError",
    "Trouble",
    "allow",
    "load",
    "override",
    "overrides_of_file",
    "replay",
    "script_of",
]


def load(path: str, side: Side, first: int = 1, last: int | None = None) -> Script:
    """The recording of `side` in the capture at `path`, from frame `first` to frame `last` (None: to the end).

    Raises `OSError` if it cannot be opened, `CaptureError` if it cannot be read. Check the script's `obstacles`
    before playing it.
    """
    with open_capture(path) as stream:
        return script_of(read_capture(stream), side, first, last)


def replay(
    script: Script, connector: Connector, policy: Policy | None = None, options: Options | None = None
) -> Outcome:
    """Play a script against the peer that the connector reaches; never raises because of what the peer does.

    Raises `AddressError` if the address of the peer can never be reached.
    """
    return Player(script, connector, policy or Policy(), options or Options()).play()
