"""The page of a capture, from its records."""

from collections.abc import Iterable, Iterator

from vudissect.analysis import Analysis, Judged
from vudissect.lint.finding import Finding
from vudissect.report.frames import Frames
from vudissect.report.html import Html
from vudissect.report.parts import Parts
from vudissect.report.session import session_page
from vudissect.summary.collect import Collector


class NoFramesError(Exception):
    """None of the frames that the page should have are in the capture; `frames` is how many that has."""

    def __init__(self, frames: int) -> None:
        super().__init__(frames)
        self.frames = frames


def capture_page(analysis: Analysis, file: str, parts: Parts, *, note: Html | str = "", is_live: bool = False) -> str:
    """The page of an analysis that nobody has read yet. The answer on it is about the whole capture. `NoFramesError`
    if it would have no frames.

    `note` is at its top. A live page asks the server that it came from whether there is more.
    """
    collector, frames = Collector(), Frames()
    found: list[Finding] = []
    blocks = parts.chosen(_collected(collector.watch(analysis.ahead()), found), frames.block)
    rest = analysis.finish()
    cut = str(analysis.records.truncated) if analysis.records.truncated is not None else ""
    summary = collector.finish(analysis.session, rest, file, cut=cut, withheld=sum(analysis.withheld.values()))
    if summary.frames and not blocks:
        raise NoFramesError(summary.frames)
    return session_page(summary, found + rest, frames, blocks, note=note, is_live=is_live)


def _collected(judged: Iterable[Judged], found: list[Finding]) -> Iterator[Judged]:
    """The same, with the findings collected."""
    for each in judged:
        found += each[1]
        yield each
