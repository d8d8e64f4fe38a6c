"""Actions that change when and in which pieces a message arrives."""

from dataclasses import replace
from math import inf

from vudissect.faults.action import ACTIONS, Action, Words
from vudissect.faults.errors import FaultError, ImpossibleError
from vudissect.faults.plan import Joining, Plan, Target
from vudissect.filter.values import number_of
from vudissect.proxy.faulting import Stall, StopReading, Throttle

_PAUSE = 0.05


@ACTIONS.action(
    "delay",
    "TIME",
    "pass the message on after this time, and what comes after it in its direction not before it",
    "7, 17, 20: what a fast peer does before a slow one has processed the message",
    alters=False,
)
def delay(words: Words) -> Action:
    """A fixed time."""
    seconds = words.duration()
    return lambda plan, _: _delayed(plan, seconds)


@ACTIONS.action(
    "jitter",
    "LEAST MOST",
    "the same with a random time between these two",
    "21: a race that is lost only sometimes",
    alters=False,
)
def jitter(words: Words) -> Action:
    """A random time."""
    column = words.column
    least, most = words.duration(), words.duration()
    if most < least:
        raise FaultError(column, "jitter needs the shorter time first")
    return lambda plan, target: _delayed(plan, target.random.uniform(least, most))


def _delayed(plan: Plan, seconds: float) -> Plan:
    return plan.with_message(replace(plan.message, delay=plan.message.delay + seconds))


@ACTIONS.action(
    "split",
    "BYTE [PAUSE]",
    "send it in two parts, with a pause (50ms) before this byte",
    "receivers that treat a short read as an error, or forget descriptors of the first part",
    alters=False,
)
def split(words: Words) -> Action:
    """Two writes instead of one."""
    place, pause = words.number("the first byte of the second part", least=1), words.duration(_PAUSE)

    def apply(plan: Plan, _: Target) -> Plan:
        if place >= len(plan.message.data):
            raise ImpossibleError(f"the message has only {len(plan.message.data)} bytes")
        return plan.with_message(replace(plan.message, cut=place, pause=pause))

    return apply


@ACTIONS.action(
    "coalesce",
    "",
    "wait for the next message, and send both with one write",
    "receivers that read more than one message and drop the rest",
    alters=False,
)
def coalesce(_: Words) -> Action:
    """One write instead of two."""
    return lambda plan, _: replace(plan, main=plan.message, joining=Joining.GLUE)


@ACTIONS.action(
    "reorder",
    "",
    "let the next message overtake it, if both are about different rings and neither waits for an answer",
    "5, 50: a back-end that relies on the order in which QEMU sets up rings",
    alters=False,
)
def reorder(_: Words) -> Action:
    """The second before the first."""
    return lambda plan, _: replace(plan, main=plan.message, joining=Joining.SWAP)


@ACTIONS.action(
    "stall",
    "[one-way] [TIME]",
    "pass on nothing on this channel, or only in this direction, for this time or until a side hangs up",
    "1, 33: a peer that waits for the other channel, or for an answer that nobody sends",
)
def stall(words: Words) -> Action:
    """Silence."""
    both = not words.takes("one-way")
    seconds = words.duration(inf)
    return lambda plan, _: replace(plan, before=(*plan.before, Stall(seconds, both)))


@ACTIONS.action(
    "stop-reading",
    "[TIME]",
    "do not read what its sender writes after it, for this time or until a side hangs up",
    "33: a peer that fills the socket of one that does not read",
)
def stop_reading(words: Words) -> Action:
    """A full socket."""
    seconds = words.duration(inf)
    return lambda plan, _: replace(plan, after=(*plan.after, StopReading(seconds)))


@ACTIONS.action(
    "throttle",
    "N/s",
    "from here on, pass on at most so many messages a second in this direction",
    "a vIOMMU under load, a back-end that is slower than the front-end",
)
def throttle(words: Words) -> Action:
    """A slow channel."""
    token = words.take("a rate, as in 10/s")
    rate = number_of(token.text.removesuffix("/s"))
    if not token.text.endswith("/s") or not rate or rate < 0:
        raise FaultError(token.column, f"expected messages a second, as in 10/s, not {token}")
    return lambda plan, _: replace(plan, after=(*plan.after, Throttle(rate)))
