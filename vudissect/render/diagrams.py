"""The page `docs/states.md`: the session's transition tables, as tables and as diagrams."""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from vudissect.session.phases import PHASES
from vudissect.session.rings import ENABLED, STARTED

_MACHINES: tuple[tuple[str, str, Mapping[tuple[Any, Any], Enum]], ...] = (
    ("Connection", "How far a connection has come.", PHASES),
    ("Ring: started", "Whether a ring was given to the back-end.", STARTED),
    ("Ring: enabled", "Whether the back-end may process a ring; it does so if the ring is started, too.", ENABLED),
)


def states_markdown() -> Iterator[str]:
    """The page, line by line."""
    yield "# States"
    yield ""
    yield "Generated from the transition tables in `vudissect/session/` by `make docs`. What is in no row changes"
    yield "nothing."
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
        yield "| state | what happens | then |"
        yield "|---|---|---|"
        yield from (f"| {here.value} | {cause.value} | {there.value} |" for (here, cause), there in table.items())


if __name__ == "__main__":
    print("\n".join(states_markdown()))
