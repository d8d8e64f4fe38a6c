"""The course of `vudissect lint` over its captures: what is reported of each, and the exit status for all."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from vudissect.cli.baseline import Baseline
from vudissect.cli.errors import FINDINGS, warn
from vudissect.cli.filters import no_match
from vudissect.cli.judging import Judged, Judgement, Matching, Unreadable
from vudissect.cli.progress import counted
from vudissect.cli.reading import complain
from vudissect.render.findings import fails, listed
from vudissect.render.format import CaptureReport

if TYPE_CHECKING:
    from vudissect.filter import Filter, Seen
    from vudissect.summary.fleet import Counts


class Course:
    """Iterate over `reports` or ask for `counts`, once, then query the rest.

    `unreadable` is the exit status if a capture cannot be read; with `usual`, infos that healthy sessions also have
    are findings like others.
    """

    def __init__(
        self, wanted: "Filter | None", baseline: Baseline | None, *, unreadable: int, strict: bool, usual: bool
    ) -> None:
        self.status = 0
        """The exit status."""
        self._wanted = wanted
        self._baseline = baseline
        self._unreadable = unreadable
        self._strict = strict
        self._usual = usual
        # What the captures have instead of what the filter asks for. None until there is a capture with messages.
        self._found: list[Seen] | None = None
        self._matched = False

    def reports(self, judgements: Iterable[Judgement]) -> Iterator[CaptureReport]:
        """The report of each capture that can be read; the others are named on standard error."""
        for judgement in judgements:
            if isinstance(judgement, Unreadable):
                self._cannot_read(judgement)
            else:
                yield self._report(judgement)

    def counts(self, judgements: Iterable[Judgement], total: int) -> "Counts":
        """The findings of all captures by rule and pair."""
        from vudissect.summary.fleet import Fleet

        fleet = Fleet()
        for judgement in counted("judged", judgements, total, _messages, _is_fine):
            if isinstance(judgement, Unreadable):
                self._cannot_read(judgement)
                fleet.add_incomplete()
                continue
            report = self._report(judgement)
            fleet.add(
                report.file,
                report.messages,
                listed(report.findings, usual=self._usual),
                judgement.pairs,
                report.withheld,
                known=report.known,
                complete=not report.complaints,
            )
        return fleet.counts()

    def report_no_match(self) -> None:
        """One line on standard error if the filter matched nothing in any capture."""
        if self._wanted is not None and self._found is not None and not self._matched:
            warn(no_match(self._wanted, self._found))

    def _cannot_read(self, capture: Unreadable) -> None:
        # One file that cannot be read does not keep the others from being judged.
        complain(capture.problem)
        self.status = max(self.status, self._unreadable)

    def _report(self, judged: Judged) -> CaptureReport:
        report = judged.report
        complain(*(f"{report.file}: {text}" for text in report.complaints))
        if judged.matching is not None:
            self._match(judged.matching)
        if self._baseline is not None:
            report = self._baseline.new(judged, usual=self._usual)
        found = FINDINGS if any(fails(each, strict=self._strict) for each in report.findings) else 0
        self.status = max(self.status, found, min(judged.status, self._unreadable))
        return report

    def _match(self, matching: Matching) -> None:
        assert self._wanted is not None
        if self._found is None:
            from vudissect.filter import Seen

            self._found = [Seen(asked) for asked in self._wanted.asked]
        self._matched = self._matched or matching.matched
        for seen, held, values in zip(self._found, matching.held, matching.values, strict=True):
            seen.add(held, values)


def _messages(judgement: Judgement) -> int:
    return judgement.report.messages if isinstance(judgement, Judged) else 0


def _is_fine(judgement: Judgement) -> bool:
    return isinstance(judgement, Judged) and not judgement.report.complaints
