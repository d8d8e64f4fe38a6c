"""What came of a case: behaviour and fate apart, and the verdict."""

import signal
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from vudissect.capture.record import Record
from vudissect.check.model import Behaviour, Case, Verdict
from vudissect.lint.finding import Finding


class Life(StrEnum):
    """What became of the process of a back-end. How one has ended that was not started here cannot be seen: GONE."""

    ALIVE = "alive"
    EXITED = "exited"
    KILLED = "killed by a signal"
    GONE = "gone"
    SPINNING = "spinning"
    HUNG = "hung"
    UNKNOWN = "unknown"


def signal_name(number: int) -> str:
    """`SIGSEGV (11)`."""
    try:
        return f"{signal.Signals(number).name} ({number})"
    except ValueError:
        return f"signal {number}"


_PRESENT = {Life.SPINNING: "spins", Life.HUNG: "hangs"}


@dataclass(frozen=True, slots=True)
class Fate:
    """What the case did to the back-end.

    `number` is the exit status or the signal. `connection` is "open", "closed" or "reset". `next_connection` is
    whether the next one was served, None where that was not tried. Descriptors are counted before and after, -1
    where they cannot be.
    """

    life: Life = Life.UNKNOWN
    number: int = 0
    connection: str = "open"
    next_connection: bool | None = None
    descriptors: tuple[int, int] = (-1, -1)

    @property
    def lost_descriptors(self) -> bool:
        """Whether the process has closed descriptors of its own: what it does from then on means nothing."""
        before, after = self.descriptors
        return 0 <= after < before

    @property
    def how(self) -> str:
        """How the process is, or has ended."""
        if self.life is Life.EXITED:
            return f"exited with status {self.number}"
        return f"killed by {signal_name(self.number)}" if self.life is Life.KILLED else str(self.life)

    @property
    def ending(self) -> str:
        """What is bad about it, in words; "" if nothing is."""
        if self.life in (Life.EXITED, Life.KILLED, Life.GONE):
            return "the process " + {Life.EXITED: "", Life.KILLED: "was ", Life.GONE: "is "}[self.life] + self.how
        dead = "the next connection is not served" if self.next_connection is False else ""
        if self.life in (Life.SPINNING, Life.HUNG):
            return ", and ".join(filter(None, (f"the process {_PRESENT[self.life]}", dead)))
        return dead

    def __str__(self) -> str:
        parts = [f"connection {self.connection}"]
        if self.life is not Life.UNKNOWN:
            parts.append(f"process {self.how}")
        if self.next_connection is not None:
            parts.append(f"next connection {'served' if self.next_connection else 'NOT served'}")
        before, after = self.descriptors
        if after >= 0 and after != before >= 0:
            parts.append(f"descriptors {before} before, {after} after")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Played:
    """How far a conversation came: the verdict on the behaviour, and the line of the talk that decided.

    `frame` is the record of it: the message that is judged, or the last one before something did not work. 0 if
    nothing was sent.
    """

    verdict: Verdict
    behaviour: Behaviour
    text: str = ""
    line: int = 0
    frame: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """A case with what came of it.

    `verdicts` are those of all repetitions, `last_words` what the back-end wrote last. `ours` are the findings about
    our side that the case does not declare, or declares in vain: then the suite is wrong, not the back-end.
    """

    case: Case
    verdict: Verdict
    played: Played
    fate: Fate = Fate()
    seconds: float = 0.0
    waited: float = 0.0
    verdicts: tuple[Verdict, ...] = ()
    last_words: tuple[str, ...] = ()
    ours: tuple[str, ...] = ()
    theirs: tuple[Finding, ...] = ()
    records: tuple[Record, ...] = field(default=(), repr=False)

    @property
    def why(self) -> str:
        """What was seen, on one line."""
        text, ending = self.played.text or str(self.played.behaviour), self.fate.ending
        # Some end as they should, and of others it is what was seen.
        if not ending or (self.fate.life is Life.EXITED and self.fate.next_connection is not False):
            return text
        if self.fate.life is Life.KILLED and signal_name(self.fate.number) in text:
            return text
        # That all steps worked is not worth a word beside such an end.
        return f"{text}; {ending}" if text != Behaviour.WORKS else ending

    def repeated(self, others: tuple["Result", ...]) -> "Result":
        """The worst of several, which knows them all."""
        every = (self, *others)
        worst = max(every, key=lambda result: result.verdict.severity)
        return replace(worst, verdicts=tuple(result.verdict for result in every))

    @property
    def changes(self) -> str:
        """ "3 of 5" where not all repetitions had this verdict, else ""."""
        same = self.verdicts.count(self.verdict)
        return f"{same} of {len(self.verdicts)}" if same < len(self.verdicts) else ""

    def as_json(self) -> dict[str, Any]:
        """All of it but the records."""
        case, fate = self.case, self.fate
        return {
            "id": case.id,
            "family": case.family,
            "title": case.title,
            "expected": case.expected,
            "section": case.section,
            "rules": list(case.rules),
            "talk": case.talk,
            "verdict": str(self.verdict),
            "verdicts": [str(verdict) for verdict in self.verdicts or (self.verdict,)],
            "behaviour": str(self.played.behaviour),
            "why": self.why,
            "line": self.played.line,
            "fate": {
                "text": str(fate),
                "process": str(fate.life),
                "number": fate.number,
                "connection": fate.connection,
                "next_connection": fate.next_connection,
                "descriptors_before": fate.descriptors[0],
                "descriptors_after": fate.descriptors[1],
            },
            "seconds": round(self.seconds, 6),
            "waited": round(self.waited, 6),
            "last_words": list(self.last_words),
            "suite_errors": list(self.ours),
            "findings": [
                {"rule": each.rule, "severity": str(each.severity), "frame": each.frame, "message": each.message}
                for each in self.theirs
            ],
        }
