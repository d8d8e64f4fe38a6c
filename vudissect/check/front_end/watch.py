"""Serves a front-end until it is clear what it does."""

import time

from vudissect.check.front_end.scene import Scene
from vudissect.check.model import Behaviour
from vudissect.check.outcome import Life, signal_name

_SETTLED = 0.05
_DEATH_WITHIN = 0.5
_AGAIN_WITHIN = 1.5


def observe(scene: Scene, sent: int = 0) -> tuple[Behaviour, str]:
    """Serve the front-end until it is clear what it does; `sent` is how many messages it had sent before."""
    began = last = time.monotonic()
    connections = scene.connection
    alone = _AGAIN_WITHIN if scene.session is None else min(scene.quiet, _DEATH_WITHIN)
    while True:
        happened = scene.step()
        now = time.monotonic()
        if scene.is_active(happened):
            last = now
        again = scene.connection > connections
        if scene.ended:
            return _ended(scene)
        if scene.session is None and not again and now - last > alone:
            return _left(scene)
        if scene.has_come and not scene.asked_to_end and now - last > _SETTLED:
            return (Behaviour.RECONNECTS if again else Behaviour.GOES_ON), ""
        if (scene.session is None and now - last > alone) or scene.has_stopped(last, began):
            break
    if scene.asked_to_end:
        return Behaviour.STAYS, "does not end"
    if again:
        return Behaviour.RECONNECTS, "connects again, but does not come as far as before"
    later = scene.sent[sent:]
    if later:
        return Behaviour.STAYS, f"goes on to {later[-1]}, and sends nothing more"
    return Behaviour.STAYS, ""


def _left(scene: Scene) -> tuple[Behaviour, str]:
    if scene.closed_by_us:
        return Behaviour.STAYS, "does not connect again"
    return Behaviour.GIVES_UP, "closes the connection"


def _ended(scene: Scene) -> tuple[Behaviour, str]:
    ended = scene.program.life()
    if scene.asked_to_end:
        return Behaviour.GOES_ON, "ends as it is asked to"
    if ended == (Life.EXITED, scene.course.ends) and scene.has_done_all:
        return Behaviour.GOES_ON, "comes to its end as without the flaw"
    if ended.life is Life.KILLED:
        return Behaviour.GIVES_UP, f"is killed by {signal_name(ended.number)}"
    return Behaviour.GIVES_UP, f"exits with status {ended.number}"
