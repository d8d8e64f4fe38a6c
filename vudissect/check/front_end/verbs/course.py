"""How far a front-end goes: to the end of what it does, to its own end, to another connection."""

import time

from vudissect.check.front_end.scene import Happened, Scene
from vudissect.check.front_end.verbs.book import BOOK, NotHereError
from vudissect.check.front_end.watch import observe
from vudissect.check.judging import findings_in
from vudissect.check.model import Behaviour
from vudissect.check.stage import DeviationError
from vudissect.lint.finding import Blame, Finding, Severity

_RECONNECT_WITHIN = 3.0


@BOOK.verb(
    r"as far as it comes", "everything is answered as it should be, until the front-end has come as far as it does"
)
def so_far(scene: Scene) -> None:
    """Up to the end of what it does without a flaw."""
    scene.answer()
    observe(scene)


@BOOK.verb(r"it runs", "as far as it comes, and the connection is open then; else it cannot be checked")
def runs(scene: Scene) -> None:
    """Some end by themselves."""
    so_far(scene)
    if scene.session is None or scene.ended:
        raise NotHereError("the front-end ends by itself")


@BOOK.verb(r"it ends", "the front-end comes as far as it does, and ends by itself, or is sent SIGTERM")
def ends(scene: Scene) -> None:
    """It stops its rings before."""
    so_far(scene)
    scene.ask_to_end()


@BOOK.verb(r"it connects again", "the front-end makes another connection; one that does not cannot be checked")
def reconnects(scene: Scene) -> None:
    """In time."""
    deadline = time.monotonic() + _RECONNECT_WITHIN
    while scene.session is None:
        if scene.step() is Happened.NOTHING and (scene.ended or time.monotonic() > deadline):
            raise NotHereError("the front-end does not connect again")


@BOOK.verb(r"it breaks no rule", "the linter finds no error of the front-end in what has passed so far")
def breaks_none(scene: Scene) -> None:
    """Warnings are matters of taste, and old releases."""
    for finding in _findings(scene):
        if finding.severity is Severity.ERROR:
            raise DeviationError(Behaviour.FAILED, f"the front-end breaks {finding.rule}: {finding.message}")


@BOOK.verb(r"it does not break (VU-[A-Z]+-\d+)", "the linter does not find that the front-end broke this rule")
def keeps(scene: Scene, rule: str) -> None:
    """In what has passed so far."""
    for finding in _findings(scene):
        if finding.rule == rule:
            raise DeviationError(Behaviour.FAILED, f"the front-end breaks {rule}: {finding.message}")


def _findings(scene: Scene) -> list[Finding]:
    found = findings_in(scene.recorder.records, scene.device)
    return [each for each in found if each.blame is Blame.FRONT_END]
