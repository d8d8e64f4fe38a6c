"""JUnit: failures are what makes the exit status 1."""

from xml.etree import ElementTree

import pytest

from tests.conversation import Conversation
from tests.render.formats.talks import PLAIN, broken, linted
from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.render.format import CaptureReport, Reported
from vudissect.render.formats import formats_of


def suites(result: Reported) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring("".join(formats_of(Reported)["junit"].render(result))))


def test_each_capture_is_a_suite() -> None:
    assert [suite.get("name") for suite in suites(linted(broken(), broken()))] == ["1.pcapng", "2.pcapng"]


def test_an_error_is_a_failure_with_its_source() -> None:
    (suite,) = suites(linted(broken()))
    failure = suite.find("testcase[@name='VU-VRG-03 #2']/failure")

    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == (
        "error",
        "front-end: ring 3 is enabled with 7; only 0 and 1 are defined",
    )
    assert failure.text


@pytest.mark.parametrize(("strict", "failures"), [(False, "0"), (True, "1")])
def test_a_warning_is_a_failure_if_strict(strict: bool, failures: str) -> None:
    warning = Finding("VU-X-01", Severity.WARNING, Blame.BOTH, 1, 1, (), "tolerated somewhere", "a page")
    capture = CaptureReport("1.pcapng", [warning], {}, 1, ())
    (suite,) = suites(Reported([capture], False, strict, PLAIN))

    assert suite.get("failures") == failures


def test_an_incomplete_capture_is_a_failure() -> None:
    (suite,) = suites(linted(Conversation(), complaints=["it was cut off"]))

    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")


def test_nothing_found_is_a_case_that_passed() -> None:
    (suite,) = suites(linted(Conversation()))

    assert [case.get("name") for case in suite] == ["nothing found"]
