"""The values of a summary. Times are in nanoseconds; None is what the capture does not show."""

from enum import Enum
from typing import NamedTuple

from vudissect.lint.finding import Finding, Severity
from vudissect.lint.groups import Group
from vudissect.protocol.model import Channel, Side
from vudissect.protocol.since import Since
from vudissect.session.event import MessageEvent
from vudissect.session.pairing import Request
from vudissect.session.stalls import Stall
from vudissect.session.state import State
from vudissect.summary.faults import Injected


class Peer(NamedTuple):
    """A program: its names ("" if unknown) and process id (0 if unknown).

    `since` is the release that introduced `feature`, the newest protocol feature that it offers or acknowledges; None
    if there is none.
    """

    side: Side
    command: str = ""
    executable: str = ""
    pid: int = 0
    since: Since | None = None
    feature: str = ""

    @property
    def name(self) -> str:
        """The name of its executable file, or its command name, which the kernel cuts after 15 characters."""
        return self.executable.rpartition("/")[2] or self.command

    @property
    def version(self) -> str:
        """The release that `since` names, such as `QEMU 7.2`; "" if it is unknown."""
        return f"{self.since.origin} {self.since.version}" if self.since is not None else ""


class Traffic(NamedTuple):
    """How many messages and descriptors a side sent on a channel."""

    channel: Channel
    sender: Side
    messages: int
    descriptors: int


class Answer(NamedTuple):
    """An answer: message, frame, sender and latency, the frame of its request, and whether it came late."""

    name: str
    frame: int
    sender: Side
    latency: int
    request: int
    late: bool


class End(NamedTuple):
    """How a connection ended.

    `by` is the label of the side that closed it, "" if it is open where the capture ends; `how` is what its socket
    reported; `frame` is 0 if it is open. `last` is the last message before that, None if there was none, and `after`
    the time since then. `unanswered` are the requests that were owed an answer.
    """

    by: str
    how: str
    frame: int
    last: MessageEvent | None
    after: int
    unanswered: tuple[Request, ...]


class ConnectionSummary(NamedTuple):
    """One connection. `state` is the one at its end, `slowest` are its slowest answers, slowest first.

    `began` is the time since the start of the capture. `origin` is what the records were made from, as in `strace of
    the front-end`; "" if the recorder was between the peers. `stall` is what did not go on in the rings for longest, as
    they were last seen, with `since` on the same clock.
    """

    number: int
    front_end: Peer
    back_end: Peer
    state: State
    began: int
    duration: int
    traffic: tuple[Traffic, ...]
    slowest: tuple[Answer, ...]
    end: End
    stall: Stall | None
    origin: str = ""

    @property
    def messages(self) -> int:
        """The number of messages on all channels."""
        return sum(each.messages for each in self.traffic)

    @property
    def descriptors(self) -> int:
        """The number of descriptors on all channels."""
        return sum(each.descriptors for each in self.traffic)


class Missing(NamedTuple):
    """What the capture does not have.

    `cut` is why it ends too early, "" if it does not; `gaps` counts the places where messages are missing, and
    `messages` how many are, where that is known; `beginnings` are the connections that had begun before the capture.
    """

    cut: str = ""
    gaps: int = 0
    messages: int = 0
    beginnings: tuple[int, ...] = ()


class Outcome(Enum):
    """What the rules say about a capture as a whole."""

    BROKEN = "a rule is broken"
    RISKY = "something is done that some peers do not tolerate"
    INCOMPATIBLE = "one program does what the other is known not to handle"
    NOTABLE = "no rule is broken, but something is worth knowing"
    FINE = "nothing is wrong"
    EMPTY = "there are no messages"


OUTCOMES = {
    Severity.ERROR: Outcome.BROKEN,
    Severity.WARNING: Outcome.RISKY,
    Severity.COMPAT: Outcome.INCOMPATIBLE,
    Severity.INFO: Outcome.NOTABLE,
}


class Verdict(NamedTuple):
    """The verdict: `groups` are the findings, worst first, and what came first before its consequences.

    `usual` counts those that healthy sessions also have; they are not in the groups.
    """

    outcome: Outcome
    groups: tuple[Group, ...] = ()
    usual: int = 0

    @property
    def finding(self) -> Finding | None:
        """The finding that decides."""
        return self.groups[0].first if self.groups else None


class Summary(NamedTuple):
    """A capture in short.

    `connections` has the first and the last ones and those with findings, `total` is the number of all. `shown` is the
    one to look at: that of the verdict, or the last. `started` is in ns since the epoch, `findings` the number of
    findings of each severity, withheld repetitions included in `withheld`. `faults` are those injected on purpose.
    """

    file: str
    started: int
    duration: int
    frames: int
    messages: int
    descriptors: int
    total: int
    connections: tuple[ConnectionSummary, ...]
    shown: ConnectionSummary | None
    verdict: Verdict
    missing: Missing
    withheld: int
    faults: Injected
