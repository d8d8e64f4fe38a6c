"""Peers that play a recorded or scripted side over real sockets.

To play one side of a capture against a live peer:

    from vudissect.replay import Calling, Side, load, replay

    outcome = replay(load("boot.pcapng", Side.FRONT_END), Calling.at("back.sock"))
    assert outcome.ok, outcome.differences

The peer is met by `Calling` or `Waiting` at an address, `Connected` over a socket that is there, or `InMemory` as a
function; `Program` runs one for as long as it is needed.
"""

from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.compare.outcome import Difference, Outcome, Trouble
from vudissect.compare.policy import EXACT, IGNORED, RELATED, Override, Policy, PolicyError, override, overrides_of_file
from vudissect.protocol.model import Side
from vudissect.replay.line import LineError, Parcel
from vudissect.replay.meeting import Calling, Connected, InMemory, Meeting, Waiting
from vudissect.replay.player import Options, Player
from vudissect.replay.program import Program, ProgramError
from vudissect.replay.script import Script, script_of

__all__ = [
    "EXACT",
    "IGNORED",
    "RELATED",
    "Calling",
    "Connected",
    "Difference",
    "InMemory",
    "LineError",
    "Meeting",
    "Options",
    "Outcome",
    "Override",
    "Parcel",
    "Policy",
    "PolicyError",
    "Program",
    "ProgramError",
    "Script",
    "Side",
    "Trouble",
    "Waiting",
    "load",
    "override",
    "overrides_of_file",
    "replay",
    "script_of",
]


def load(path: str, side: Side, first: int = 1, last: int | None = None) -> Script:
    """What `side` did in the capture at `path`, from frame `first` to frame `last` (None: to the end).

    An `OSError` where it cannot be opened, a `CaptureError` where it cannot be read. Whoever plays it should look at
    the script's `obstacles` first.
    """
    with open_capture(path) as stream:
        return script_of(read_capture(stream), side, first, last)


def replay(script: Script, meeting: Meeting, policy: Policy | None = None, options: Options | None = None) -> Outcome:
    """Play a script against the peer that is met, and say what came of it; never raises for what the peer does.

    `AddressError` where the address of the peer can never be reached.
    """
    return Player(script, meeting, policy or Policy(), options or Options()).play()
