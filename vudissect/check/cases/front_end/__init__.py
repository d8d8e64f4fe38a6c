"""The cases for front-ends: data, one entry each. docs/conformance.md says how to write one."""

from vudissect.check.cases.front_end import answers, channel, offers, running
from vudissect.check.model import Case

FRONT_END_CASES: tuple[Case, ...] = tuple(
    sorted((*answers.CASES, *offers.CASES, *channel.CASES, *running.CASES), key=lambda case: case.id)
)

FRONT_END_FAMILIES: dict[str, str] = {"F": "front-ends"}
