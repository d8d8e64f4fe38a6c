"""The page `docs/states.md`: the transition tables of the session, as diagrams and as tables."""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from vudissect.session.phases import PHASES
from vudissect.session.rings import ENABLED, STARTED

_MACHINES: tuple[tuple[str, str, Mapping[tuple[Any, Any], Enum]], ...] = (
    ("Connection", "The phase of a connection.", PHASES),
    ("Ring: started", "Whether a ring has been handed to the back-end.", STARTED),
    ("Ring: enabled", "Whether the back-end may process a ring. It does so if the ring is also started.", ENABLED),
)


def states_markdown() -> Iterator[str]:
    """The lines of the page."""
    yield "# States"
    yield ""
    yield "Generated from the transition tables in `vudissect/session/` by `make docs`. Anything that is not in a table"
    yield "does not change the state."
    for title, summary, table in _MACHINES:
        yield ""
        yield f"## {title}"
        yield ""
        yield summary
        yield ""
        yield "```mermaid"
        yield "stateDiagram-v2"
        yield from (f"    {here.value} --> {there.value}: {cause.value}" for (here, cause), there in table.items())
        yield "```"
        yield ""
        yield "| state | event | new state |"
        yield "|---|---|---|"
        yield from (f"| {here.value} | {cause.value} | {there.value} |" for (here, cause), there in table.items())


if __name__ == "__main__":
    print("\n".join(states_markdown()))
