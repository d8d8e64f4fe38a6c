"""The controls above a table that can be filtered; script.js does it."""

from collections import Counter
from collections.abc import Iterable

from vudissect.check.cases import FAMILIES
from vudissect.check.model import Verdict
from vudissect.report.html import Html, tag
from vudissect.report.verdicts import MEANINGS, badge


def controls(families: Iterable[str], verdicts: Iterable[Verdict]) -> Html:
    """A search field, the families, and the verdicts that there are. Without a script they are hidden."""
    count = Counter(verdicts)
    return tag(
        "div",
        tag("input", id="text", type="search", placeholder="Search  /", aria_label="Search in the cases"),
        tag(
            "select",
            tag("option", "all families", value=""),
            (tag("option", family_title(family), value=family) for family in dict.fromkeys(families)),
            id="family",
            aria_label="Family",
        ),
        (_chip(verdict, count[verdict]) for verdict in MEANINGS if verdict in count),
        tag("button", "Clear", id="clear", type="button", hidden=True),
        tag("span", id="count", role="status"),
        id="filter",
        hidden=True,
    )


def family_title(family: str) -> str:
    """`RNG: rings`."""
    name = FAMILIES.get(family, "")
    return f"{family}: {name}" if name else family


def _chip(verdict: Verdict, count: int) -> Html:
    return tag(
        "button",
        badge(verdict, f"{count} {verdict}"),
        class_="chip",
        type="button",
        data_verdict=str(verdict),
        aria_pressed="false",
    )
