"""The summary of a run."""

from types import SimpleNamespace
from typing import Any, cast

from vudissect.proxy.observer import Report
from vudissect.proxy.summary import Summary


def summary(report: Report) -> str:
    relay: Any = SimpleNamespace(connections=1, gave_up=0)
    recorder: Any = SimpleNamespace(totals={}, descriptors_lost=0, not_recorded=0)
    return str(Summary(cast(Any, relay), cast(Any, recorder), 0, report))


def test_it_names_the_requests_that_waited_without_an_answer() -> None:
    report = Report({"unanswered": 1}, ("7 s for the answer to GET_FEATURES (#2)",))

    assert summary(report) == ("1 connection\n  unanswered: 1\n  waited 7 s for the answer to GET_FEATURES (#2)")


def test_without_a_live_transcript_they_are_unknown() -> None:
    assert summary(Report()) == "1 connection"
