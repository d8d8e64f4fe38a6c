"""`vudissect lint --baseline`: findings that are known neither fail nor are listed."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vudissect.cli.errors import clear_errors, fail
from vudissect.cli.judging import Judged
from vudissect.render.findings import listed
from vudissect.render.format import CaptureReport

if TYPE_CHECKING:
    from vudissect.summary.baseline import Known


def known_findings(file: str) -> "frozenset[Known]":
    """The known findings in a file; exit 2 if it has something else."""
    from vudissect.summary.baseline import BaselineError, read_baseline

    with clear_errors(file), open(file, encoding="utf-8", errors="replace") as stream:
        text = stream.read()
    try:
        return read_baseline(text)
    except BaselineError as error:
        fail(f"{file}: {error}")


def write_known(file: str, known: "Iterable[Known]") -> None:
    """Write known findings; exit 2 if that fails."""
    from vudissect.summary.baseline import baseline_text

    with clear_errors(file), open(file, "w", encoding="ascii") as output:
        output.write(baseline_text(known))


class Baseline:
    """What was known before, and what is known after all captures were seen."""

    def __init__(self, known: "frozenset[Known]") -> None:
        self.found: set[Known] = set()
        """The findings of the captures so far, those with a place of their own in a report."""
        self._known = known

    def new(self, judged: Judged, *, usual: bool) -> CaptureReport:
        """The report of a capture without what is known."""
        from vudissect.summary.baseline import known_by
        from vudissect.summary.peers import UNKNOWN_PAIR

        report = judged.report
        new = []
        for finding in report.findings:
            known = known_by(finding, judged.pairs.get(finding.connection, UNKNOWN_PAIR))
            if known not in self._known:
                new.append(finding)
            if listed((finding,), usual=usual):
                self.found.add(known)
        rules = {finding.rule for finding in new}
        withheld = {rule: times for rule, times in report.withheld.items() if rule in rules}
        return report._replace(findings=new, withheld=withheld, known=len(report.findings) - len(new))
