"""Actions that end a connection, or do not let the next one begin."""

from dataclasses import replace

from vudissect.faults.action import ACTIONS, Action, Words
from vudissect.faults.plan import Plan, Target
from vudissect.protocol.model import Side
from vudissect.proxy.faulting import HangUp

_SIDES: dict[str, object] = {side.label: side for side in (Side.FRONT_END, Side.BACK_END)}
_AFTER = "after"


@ACTIONS.action(
    "close",
    "front-end | back-end [after]",
    "close the connection in the place of this side, instead of passing the message on or after it",
    "16, 20, 21, 23, 42, 52: a back-end that exits, a front-end that is killed, at any message",
)
def close(words: Words) -> Action:
    """A side that is gone."""
    return _hang_up(words, half=False)


@ACTIONS.action(
    "half-close",
    "front-end | back-end [after]",
    "the same, but this side only stops sending: what the other one sends is still passed on",
    "a peer that shuts down one direction, and one that does not notice",
)
def half_close(words: Words) -> Action:
    """A side that says nothing any more."""
    return _hang_up(words, half=True)


def _hang_up(words: Words, *, half: bool) -> Action:
    side = Side.FRONT_END if words.choice("side", _SIDES).text.lower() == Side.FRONT_END.label else Side.BACK_END
    is_after = words.takes(_AFTER)

    def apply(plan: Plan, target: Target) -> Plan:
        main = plan.message if is_after else None
        return replace(plan, main=main, after=(*plan.after, HangUp(side, target.number, half)))

    return apply


@ACTIONS.action(
    "refuse",
    "[N]",
    "hang up at once on the next front-ends that connect, so many times (1)",
    "21, 30, 45, 46: a back-end that is not back yet when the front-end reconnects",
)
def refuse(words: Words) -> Action:
    """A back-end that is not there."""
    count = words.number("how many connections", least=1, default=1)
    return lambda plan, _: replace(plan, refused=plan.refused + count)
