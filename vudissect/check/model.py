"""What a case is, what the program under test may do, and what we call that. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """What a case says about a program, from the best to the worst."""

    PASS = "pass"
    INFORMATIONAL = "informational"
    NON_STRICT = "non-strict"
    UNIMPLEMENTED = "unimplemented"
    SKIP = "skip"
    FAIL = "fail"
    WEDGED = "wedged"
    CRASH = "crash"

    @property
    def severity(self) -> int:
        """How bad it is: a larger number is worse."""
        return _SEVERITY[self]

    def is_failure(self, *, strict: bool = False) -> bool:
        """Whether it makes a run fail; `strict`: so does what is only a SHOULD."""
        return self in _FAILURES or (strict and self is Verdict.NON_STRICT)


_SEVERITY = {verdict: number for number, verdict in enumerate(Verdict)}
_FAILURES = frozenset({Verdict.FAIL, Verdict.WEDGED, Verdict.CRASH})


class Behaviour(StrEnum):
    """What the program did with the message, or the step, that a case is about; the last six are of front-ends."""

    WORKS = "works"
    ANSWERED = "answered"
    ACKNOWLEDGED = "acknowledged with 0"
    ACKNOWLEDGED_AND_CLOSED = "acknowledged with 0, then the connection closed"
    IGNORED = "ignored"
    REFUSED = "refused"
    CLOSED = "connection closed"
    FAILED = "does not work"
    SILENT = "silent"
    GOES_ON = "goes on"
    STAYS = "stays connected, and sends nothing more"
    REPORTS = "reports it, stays connected, and sends nothing more"
    GIVES_UP = "gives up, and says so"
    GIVES_UP_QUIETLY = "gives up without a word"
    RECONNECTS = "connects again"

    @property
    def ends_connection(self) -> bool:
        """Whether there is nobody left to go on with."""
        return self in (Behaviour.CLOSED, Behaviour.ACKNOWLEDGED_AND_CLOSED, Behaviour.SILENT)


Meanings = Mapping[Behaviour, Verdict]

_USUAL: Meanings = {
    Behaviour.WORKS: Verdict.PASS,
    Behaviour.SILENT: Verdict.WEDGED,
}

REFUSED: Meanings = {
    Behaviour.REFUSED: Verdict.PASS,
    Behaviour.CLOSED: Verdict.PASS,
    Behaviour.ACKNOWLEDGED_AND_CLOSED: Verdict.NON_STRICT,
    Behaviour.IGNORED: Verdict.NON_STRICT,
}
"""It must not be done: an acknowledgement other than 0, or the connection is closed. Who says first that it was done,
and then closes, does no harm."""

REFUSED_BY_CUSTOM: Meanings = {**REFUSED, Behaviour.ACKNOWLEDGED: Verdict.NON_STRICT}
"""It should not be done, but no sentence of the specification says so."""

ACCEPTED: Meanings = {
    Behaviour.ANSWERED: Verdict.PASS,
    Behaviour.ACKNOWLEDGED: Verdict.PASS,
    Behaviour.IGNORED: Verdict.PASS,
}
"""It must be done; without REPLY_ACK there is nothing to be seen of that."""

EITHER: Meanings = {
    **ACCEPTED,
    Behaviour.REFUSED: Verdict.INFORMATIONAL,
    Behaviour.CLOSED: Verdict.INFORMATIONAL,
    Behaviour.ACKNOWLEDGED_AND_CLOSED: Verdict.INFORMATIONAL,
}
"""Both are allowed, and it is good to know which it is."""

DROPPED: Meanings = {Behaviour.IGNORED: Verdict.PASS, Behaviour.CLOSED: Verdict.PASS, Behaviour.REFUSED: Verdict.PASS}
"""Nothing may come of it: the connection is closed, or goes on as if nothing had been sent."""


@dataclass(frozen=True, slots=True)
class Case:
    """A conversation, and what it says about the back-end.

    `expected` is in words. `section` is the section of the specification that decides, or "no text: " and why the
    case is there all the same. `rules` are those of the linter that it is about. `needs` names what the back-end must
    offer: virtio features, protocol features, and what `runner.ABILITIES` lists. `device` is the only device type that
    it is for. `talk` is in the language of `vudissect compose`, and `meanings` say what the lines that begin with `?`
    show; docs/conformance.md explains both. `ours` are the rules that our side breaks, on purpose, and `ours_perhaps`
    those that it breaks with some back-ends. `fresh`: it is played with a process of its own. `times`: it is played so
    often, and the worst verdict counts, as what it finds depends on a race in the back-end, or on its memory.
    """

    id: str
    title: str
    expected: str
    section: str
    talk: str
    rules: tuple[str, ...] = ()
    meanings: Meanings = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    device: str = ""
    not_device: tuple[str, ...] = ()
    fresh: bool = False
    times: int = 1
    ours: tuple[str, ...] = ()
    ours_perhaps: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """The letters of its id."""
        return self.id.partition("-")[0]

    def meaning(self, behaviour: Behaviour) -> Verdict:
        """What this behaviour says about the back-end."""
        return self.meanings.get(behaviour, _USUAL.get(behaviour, Verdict.FAIL))
