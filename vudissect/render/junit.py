"""The only writer of JUnit reports, as CI servers read them: well-formed whatever the names contain."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.etree import ElementTree

from vudissect.render.units import xml_text


class Failure(NamedTuple):
    """Why a case failed."""

    message: str
    kind: str = ""


class Case(NamedTuple):
    """A test case. `text` may have several lines: the details of the failure, or else the output of the case.

    `skipped` is the reason for leaving it out, "" if it was not.
    """

    name: str
    failure: Failure | None = None
    text: str = ""
    seconds: float | None = None
    skipped: str = ""


class Suite(NamedTuple):
    """A test suite: the cases of one capture."""

    file: str
    cases: Sequence[Case]
    seconds: float | None = None


def junit_lines(title: str, suites: Sequence[Suite]) -> Iterator[str]:
    """The report, in ASCII, so that it can be written anywhere."""
    root = ElementTree.Element("testsuites", name=title)
    for suite in suites:
        failures = sum(case.failure is not None for case in suite.cases)
        element = _element(root, "testsuite", name=suite.file, tests=str(len(suite.cases)), failures=str(failures))
        _time(element, suite.seconds)
        for case in suite.cases:
            _add_case(element, suite.file, case)
    ElementTree.indent(root, "")
    yield from (
        f"{line}\n" for line in ElementTree.tostring(root, "us-ascii", xml_declaration=True).decode().split("\n")
    )


def _add_case(parent: ElementTree.Element, file: str, case: Case) -> None:
    element = _element(parent, "testcase", classname=file, name=case.name)
    _time(element, case.seconds)
    text = "\n".join(map(xml_text, case.text.split("\n")))
    if case.failure is not None:
        kind = {"type": case.failure.kind} if case.failure.kind else {}
        _element(element, "failure", **kind, message=case.failure.message).text = text
    elif case.skipped:
        _element(element, "skipped", message=case.skipped)
    elif text:
        _element(element, "system-out").text = text


def _element(parent: ElementTree.Element, tag: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, {name: xml_text(value) for name, value in attributes.items()})


def _time(element: ElementTree.Element, seconds: float | None) -> None:
    if seconds is not None:
        element.set("time", f"{seconds:.6f}")
