"""What is wrong with the next request in a ring, or with the signals of a ring."""

import time

from vudissect.check.front_end.device import ScriptedRing
from vudissect.check.front_end.scene import Happened, Scene
from vudissect.check.front_end.verbs.book import BOOK, NotHereError
from vudissect.check.reference.vring import signal

_FLAWS = "|".join(ScriptedRing.FLAWS)


@BOOK.verb(
    rf"the next request: ({_FLAWS})", "what is done instead of the next request in any ring; then it is signalled"
)
def break_next(scene: Scene, flaw: str) -> None:
    """The ring is not used any more after that."""
    scene.answer()
    rings = _rings(scene)
    for ring in rings:
        ring.flaw = flaw
    deadline = time.monotonic() + scene.timeout
    while all(ring.flaw for ring in rings) and time.monotonic() < deadline:
        if scene.step() is Happened.CLOSED or scene.ended:
            break
    if all(ring.flaw for ring in rings):
        raise NotHereError("the front-end makes no request in a split ring")
    for ring in rings:
        ring.flaw = ""


@BOOK.verb(r"signal (call|err) (\d+) times", "these descriptors of all running rings are written to, for no reason")
def signal_all(scene: Scene, which: str, times: str) -> None:
    """A signal says: have a look."""
    scene.answer()
    for _ in range(int(times)):
        for ring in _rings(scene):
            fd = ring.call if which == "call" else ring.err
            if ring.started and fd >= 0:
                signal(fd)


def _rings(scene: Scene) -> list[ScriptedRing]:
    session = scene.session
    rings = session.device.rings if session is not None else []
    return [ring for ring in rings if isinstance(ring, ScriptedRing)]
