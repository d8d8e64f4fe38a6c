"""The index of a peer: its cases with their verdicts."""

import shlex

from vudissect.check.results import CaseResult, Results
from vudissect.report.document import document
from vudissect.report.filtering import controls
from vudissect.report.html import Html, tag
from vudissect.report.verdicts import badge


def index_page(results: Results, *, up: str = "") -> str:
    """The page; `up` is where the matrix is, if it is part of one."""
    cases = results.cases
    return document(
        f"{results.title}: conformance",
        *((tag("nav", tag("a", "All peers", href=up)),) if up else ()),
        tag("h1", results.title),
        tag("p", results.tally),
        facts(results),
        controls((case.family for case in cases), (case.verdict for case in cases)),
        tag(
            "table",
            tag("thead", tag("tr", (tag("th", name, scope="col") for name in ("Case", "Verdict", "What it is about")))),
            tag("tbody", (_row(case) for case in cases)),
            class_="cases",
        ),
        scripts=("script.js",),
    )


def facts(results: Results) -> Html:
    """What was checked, when and how."""
    queues = "" if results.queues is None else f"{results.queues} queue{'s' * (results.queues != 1)}"
    device = ", ".join(filter(None, (results.device, queues)))
    known = {
        "Command": shlex.join(results.command),
        "Device": device,
        "Began": results.began.replace("T", " ").replace("+00:00", " UTC"),
        "Took": f"{results.seconds:.1f} s for {len(results.cases)} cases",
        "Suite": f"vudissect {results.suite}",
    }
    return tag(
        "dl",
        (
            (tag("dt", name), tag("dd", tag("code", text) if name == "Command" else text))
            for name, text in known.items()
            if text
        ),
        class_="facts",
    )


def _row(case: CaseResult) -> Html:
    about = [] if case.why == case.behaviour else [case.why]
    about += [f"Expected: {case.expected}"] if case.verdict.is_failure() else []
    return tag(
        "tr",
        tag("td", tag("a", case.id, href=f"{case.id}.html"), class_="case"),
        tag("td", badge(case.verdict)),
        tag("td", case.title, *(tag("div", text, class_="why") for text in about), class_="about"),
        data_family=case.family,
        data_verdicts=str(case.verdict),
    )
