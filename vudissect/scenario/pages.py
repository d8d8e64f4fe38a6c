"""The pages of `vudissect check --scenario`: a matrix of messages and scenarios, and a page for each run."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple
from urllib.parse import quote

from vudissect.check.model import Verdict
from vudissect.protocol.model import Side
from vudissect.report.document import document
from vudissect.report.html import Html, tag
from vudissect.report.verdicts import badge, sign
from vudissect.scenario.model import Outcome, Scenario, Step, Tried

VERDICTS: Mapping[Outcome, Verdict] = {
    Outcome.WORKS: Verdict.PASS,
    Outcome.HUNG: Verdict.WEDGED,
    Outcome.CRASHED: Verdict.CRASH,
    Outcome.CLOSED: Verdict.FAIL,
    Outcome.REFUSED: Verdict.FAIL,
    Outcome.NOT_INJECTED: Verdict.SKIP,
}
"""How an outcome looks."""

MEANINGS: Mapping[Outcome, str] = {
    Outcome.WORKS: "as many rings run as without a fault; with the time since the last fault",
    Outcome.HUNG: "a connection is open and nothing comes, or a side has given up waiting for an answer",
    Outcome.CRASHED: "a side that was not killed on purpose was ended by a signal",
    Outcome.CLOSED: "the front-end does not connect again, or a program cannot be started again",
    Outcome.REFUSED: "it connects again, and the connection is closed before rings run",
    Outcome.NOT_INJECTED: "no message was as the fault wants it",
}
"""What an outcome means."""


class Shown(NamedTuple):
    """A run with its transcript; `fault` is the line with the first fault, from 1, 0 for none."""

    tried: Tried
    transcript: Sequence[str]
    fault: int


class Results(NamedTuple):
    """All that was tried with two programs. `commands` are their words, by `Side`; `began` is in ISO 8601.

    `captures` is the relative path of the folder with the captures, None if they are not kept.
    """

    commands: tuple[Sequence[str], Sequence[str]]
    options: Sequence[str]
    began: str
    steps: Sequence[Step]
    played: Sequence[tuple[Scenario, Sequence[Shown]]]
    captures: str | None

    @property
    def title(self) -> str:
        """Both programs."""
        return " and ".join(command[0].rpartition("/")[2] for command in self.commands)

    def again(self, scenario: Scenario) -> str:
        """The command that plays a scenario again."""
        front_end, back_end = self.commands
        words = ["vudissect", "check", *self.options, "--scenario", scenario.origin]
        return shlex.join([*words, "--with", shlex.join(front_end), "--", *back_end])


def scenario_site(results: Results) -> Iterator[tuple[str, str]]:
    """The pages: relative paths and texts."""
    runs = [(scenario, shown) for scenario, every in results.played for shown in every]
    yield "index.html", _index(results, runs)
    for number, (scenario, shown) in enumerate(runs):
        around = (runs[number - 1][1] if number else None, runs[number + 1][1] if number + 1 < len(runs) else None)
        yield _page_name(shown.tried), _page(results, scenario, shown, around)


def _page_name(tried: Tried) -> str:
    return f"{tried.name}.html"


def _address(tried: Tried) -> str:
    return quote(_page_name(tried))


def _index(results: Results, runs: Sequence[tuple[Scenario, Shown]]) -> str:
    failed = [(scenario, shown) for scenario, shown in runs if shown.tried.outcome is not Outcome.WORKS]
    title = f"{results.title}: faults"
    return document(
        title,
        tag("h1", title),
        tag("p", f"{len(runs) - len(failed)} of {len(runs)} work again after the fault."),
        _facts(results),
        *_failures(failed),
        tag("h2", "All runs"),
        tag("div", _matrix(results), class_="wide"),
        tag("h2", "Outcomes"),
        tag(
            "dl",
            (
                (tag("dt", badge(VERDICTS[outcome], str(outcome))), tag("dd", meaning))
                for outcome, meaning in MEANINGS.items()
            ),
            class_="facts",
        ),
    )


def _facts(results: Results) -> Html:
    front_end, back_end = results.commands
    return tag(
        "dl",
        *(tag("dt", "Front-end"), tag("dd", tag("code", shlex.join(front_end)))),
        *(tag("dt", "Back-end"), tag("dd", tag("code", shlex.join(back_end)))),
        *(tag("dt", "Began"), tag("dd", results.began.replace("T", " ").replace("+00:00", " UTC"))),
        *(tag("dt", "Without a fault"), tag("dd", f"rings run after {len(results.steps)} messages of the front-end")),
        class_="facts",
    )


def _failures(failed: Sequence[tuple[Scenario, Shown]]) -> Iterator[Html]:
    if failed:
        yield tag("h2", "What does not work again")
        yield tag(
            "table",
            tag("thead", tag("tr", (tag("th", name, scope="col") for name in ("Scenario", "Outcome", "Message")))),
            tag(
                "tbody",
                (
                    tag(
                        "tr",
                        tag("td", tag("a", scenario.name, href=_address(shown.tried)), class_="case"),
                        tag("td", _badge(shown.tried)),
                        tag("td", shown.tried.point.title, tag("div", shown.tried.why, class_="why"), class_="about"),
                    )
                    for scenario, shown in failed
                ),
            ),
            class_="cases",
        )


def _badge(tried: Tried) -> Html:
    return badge(VERDICTS[tried.outcome], str(tried.outcome))


def _matrix(results: Results) -> Html:
    """The messages of the set-up as rows, scenarios as columns."""
    columns = [
        {(shown.tried.point.number, shown.tried.point.title): shown.tried for shown in every}
        for _, every in results.played
    ]
    rows = sorted(dict.fromkeys(chain.from_iterable(columns)), key=lambda place: place[0] or len(results.steps) + 1)
    return tag(
        "table",
        tag(
            "thead",
            tag(
                "tr",
                tag("th", "Message", scope="col"),
                (tag("th", scenario.name, scope="col", title=scenario.title) for scenario, _ in results.played),
            ),
        ),
        tag(
            "tbody",
            (
                tag(
                    "tr",
                    tag(
                        "th",
                        *((tag("span", f"{number}  ", class_="case"),) if number else ()),
                        tag("span", title, class_="title"),
                        scope="row",
                    ),
                    (_cell(column.get((number, title))) for column in columns),
                )
                for number, title in rows
            ),
        ),
        class_="matrix",
    )


def _cell(tried: Tried | None) -> Html:
    if tried is None:
        return tag("td")
    verdict = VERDICTS[tried.outcome]
    seconds = f" {tried.seconds:.2f} s" if tried.outcome is Outcome.WORKS else ""
    content = (sign(verdict), tag("span", f" {tried.outcome}{seconds}", class_="word"))
    return tag("td", tag("a", *content, href=_address(tried), title=tried.why), class_=str(verdict))


def _page(results: Results, scenario: Scenario, shown: Shown, around: tuple[Shown | None, Shown | None]) -> str:
    tried = shown.tried
    before, after = around
    title = f"{scenario.name}: {tried.point.title}"
    return document(
        f"{title}: {results.title}",
        tag(
            "nav",
            tag("a", f"{results.title}: faults", href="index.html"),
            tag("span", class_="push"),
            *(() if before is None else (tag("a", "← before", href=_address(before.tried), rel="prev"),)),
            *(() if after is None else (tag("a", "next →", href=_address(after.tried), rel="next"),)),
        ),
        tag("h1", _badge(tried), " ", title),
        tag("p", f"{tried.outcome}: {MEANINGS[tried.outcome]}", class_="dim"),
        *_what_happened(scenario, tried),
        tag("h2", "Conversation"),
        _transcript(shown),
        *_capture(results, f"{tried.name}.pcapng"),
        *(part for side in (Side.FRONT_END, Side.BACK_END) for part in _output(side, tried.output[side])),
        tag("h2", "This scenario again"),
        tag("pre", results.again(scenario), class_="wraps"),
    )


def _what_happened(scenario: Scenario, tried: Tried) -> Iterator[Html]:
    yield tag("h2", "What was done")
    yield tag("p", scenario.title)
    yield tag("pre", "\n".join(tried.point.faults), class_="wraps")
    yield tag("h2", "What happened")
    if tried.outcome is Outcome.WORKS:
        yield tag("p", f"Rings run again {tried.seconds:.2f} s after the last fault.")
    if tried.why:
        yield tag("p", tried.why)


def _transcript(shown: Shown) -> Html:
    lines = (
        tag("span", line, class_="here" if number == shown.fault else "")
        for number, line in enumerate(shown.transcript, 1)
    )
    return tag("pre", lines, class_="talk")


def _capture(results: Results, name: str) -> Iterator[Html]:
    if results.captures is not None:
        yield tag("p", "Capture: ", tag("a", name, href=quote(f"{results.captures}/{name}")))


def _output(side: Side, words: Sequence[str]) -> Iterator[Html]:
    yield tag("h2", f"Last output of the {side.label}")
    yield tag("pre", "\n".join(words), class_="wraps") if words else tag("p", "It wrote nothing.")
