"""What is wrong with the next request in a ring, or with the signals of a ring."""

import select
import time

from vudissect.check.front_end.device import ScriptedRing
from vudissect.check.front_end.scene import Happened, Scene
from vudissect.check.front_end.verbs.book import BOOK, NotHereError
from vudissect.check.reference.vring import signal

_FLAWS = "|".join(ScriptedRing.FLAWS)
# How long (s) a front-end has to read all signals, and between two looks.
_PATIENCE = 1.0
_PAUSE = 0.001


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
    """A signal says: have a look. Each is read before the next one, by a front-end that reads them."""
    scene.answer()
    patience = _PATIENCE
    for _ in range(int(times)):
        for ring in _rings(scene):
            fd = ring.call if which == "call" else ring.err
            if ring.started and fd >= 0:
                signal(fd)
                patience -= _unread(fd, patience)


def _unread(fd: int, patience: float) -> float:
    """Wait until what was written to an eventfd is read, and return how long (s) that took."""
    start = time.monotonic()
    while (waited := time.monotonic() - start) < patience and select.select([fd], [], [], 0)[0]:
        time.sleep(_PAUSE)
    return waited


def _rings(scene: Scene) -> list[ScriptedRing]:
    session = scene.session
    rings = session.device.rings if session is not None else []
    return [ring for ring in rings if isinstance(ring, ScriptedRing)]
