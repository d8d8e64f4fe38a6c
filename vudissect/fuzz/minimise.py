"""Delta debugging: the fewest steps, and the fewest changes in them, that still do it. No I/O: a test is passed in."""

from collections.abc import Callable
from dataclasses import replace

from vudissect.fuzz.steps import Message, Steps, Write, in_turn

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
            if len(without) < len(steps) and test(without):
                steps = without
            start -= size
        size //= 2
    return steps


def _unchanged(steps: Steps, test: Test) -> Steps:
    """Take back what was changed in messages, and shorten what is written to zeros where that is enough."""
    for place, step in enumerate(steps):
        simpler: Message | Write | None = None
        if isinstance(step, Message) and step.was is not None:
            simpler = replace(step.was, connection=step.connection)
        elif isinstance(step, Write) and (end := step.data.rstrip(b"\0")) != step.data:
            simpler = replace(step, data=end)
        if simpler is not None and simpler != step:
            candidate = (*steps[:place], simpler, *steps[place + 1 :])
            if test(candidate):
                steps = candidate
    return steps
