"""Delta debugging: the fewest steps, and the fewest changes in them, that still do it. No I/O: a test is passed in."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from vudissect.fuzz.steps import Message, Step, Steps, Wait, Write, in_turn
from vudissect.protocol.model import Channel, Side

_WORD = 4

Test = Callable[[Steps], bool]


def minimise(steps: Steps, test: Test) -> Steps:
    """A session in which nothing can be left out or put back; `test` is whether a session still does it."""
    before: Steps | None = None
    while steps != before:
        before = steps
        steps = _unchanged(_fewer(steps, test), test)
    return steps


def _fewer(steps: Steps, test: Test) -> Steps:
    """Leave out runs of steps: halves, quarters, …, single ones, the last first, as they are the least needed."""
    size = len(steps)
    while size:
        start = len(steps) - size
        while start > -size:
            without = in_turn(steps[: max(0, start)] + steps[max(0, start) + size + min(0, start) :])
            if len(without) < len(steps) and _unasked(without) <= _unasked(steps) and test(without):
                steps = without
            start -= size
        size //= 2
    return steps


def _unasked(steps: Steps) -> int:
    """How many answers a back-end sends at once: one that comes too early shows little about what it answers."""
    before = (None, *steps)
    return sum(
        isinstance(step, Message)
        and step.sender is Side.BACK_END
        and step.channel is Channel.MAIN
        and not isinstance(last, Wait)
        for last, step in zip(before, steps, strict=False)
    )


def _unchanged(steps: Steps, test: Test) -> Steps:
    """Take back what was changed in messages, and shorten what is written to zeros where that is enough."""
    for place in range(len(steps)):
        for simpler in _simpler(steps[place]):
            candidate = (*steps[:place], simpler, *steps[place + 1 :])
            if simpler != steps[place] and test(candidate):
                steps = candidate
                break
    return steps


def _simpler(step: Step) -> Iterator[Step]:
    """What a step may be instead: as it was, or a little more so."""
    if isinstance(step, Write):
        yield replace(step, data=step.data.rstrip(b"\0"))
    elif isinstance(step, Message) and step.was is not None:
        was = step.was
        yield replace(was, connection=step.connection)
        yield replace(step, data=was.data)
        yield replace(step, descriptors=was.descriptors)
        if len(step.data) == len(was.data):
            for start in range(0, len(step.data), _WORD):
                word = was.data[start : start + _WORD]
                yield replace(step, data=step.data[:start] + word + step.data[start + _WORD :])
