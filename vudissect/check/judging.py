"""What a recorded case shows about both sides, and what the output of a program shows about its end."""

from collections.abc import Iterable

from vudissect.analysis import Analysis
from vudissect.capture.record import Record
from vudissect.check.model import Behaviour, Case, Verdict
from vudissect.check.outcome import Played
from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.protocol.dialects import dialect_by_name
from vudissect.protocol.model import Device

OURS = dialect_by_name("upstream")
"""The dialect that our side speaks, whatever the other side makes of it."""
# A case hangs up as soon as it has seen enough, and may connect again at once.
_LEAVING = frozenset({"VU-END-02", "VU-TIM-02"})
# That a request is refused may be blamed on our side; what is wrong with it is a finding of its own.
_FOLLOWS = frozenset({"VU-RPL-05"})
_PANICS = ("panicked at", "AddressSanitizer", "UndefinedBehaviorSanitizer", "ThreadSanitizer")


def panicked(output: str) -> bool:
    """Whether a program reports a panic, or an error that a sanitizer found."""
    return any(word in output for word in _PANICS)


def findings_in(records: Iterable[Record], device: Device | None) -> list[Finding]:
    """What the linter finds in what was recorded with a device of this type; None if it is unknown."""
    return Analysis(records, device=device, dialect=OURS).lint().findings


def judge_sides(
    case: Case, played: Played, records: tuple[Record, ...], device: Device | None, us: Blame = Blame.FRONT_END
) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """What is wrong with our side that the case does not declare, and what with the program's."""
    found = findings_in(records, device)
    ours = {
        each.rule: each
        for each in found
        if each.blame is us and each.severity is not Severity.INFO and each.rule not in _LEAVING | _FOLLOWS
    }
    declared = set(case.ours)
    errors = [
        f"{rule}: {ours[rule].message} (frame {ours[rule].frame}): not declared"
        for rule in sorted(ours.keys() - declared - set(case.ours_perhaps))
    ]
    if played.behaviour not in (Behaviour.FAILED, Behaviour.SILENT) or played.verdict is Verdict.PASS:
        errors += [f"{rule} is declared, but our side does not break it" for rule in sorted(declared - ours.keys())]
    return tuple(errors), tuple(each for each in found if each.blame is not us)
