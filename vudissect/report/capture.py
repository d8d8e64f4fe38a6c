"""The page of a capture, from its records."""

from collections.abc import Iterable, Iterator

from vudissect.analysis import Analysis, Judged
from vudissect.lint.finding import Finding
from vudissect.report.frames import Frames
from vudissect.report.html import Html
from vudissect.report.session import session_page
from vudissect.summary.collect import Collector


class TooManyFramesError(Exception):
    """More frames than a page can have."""


def capture_page(analysis: Analysis, file: str, most: int, *, note: Html | str = "", is_live: bool = False) -> str:
    """The page of an analysis that nobody has read yet; `TooManyFramesError` if there are more than `most` frames.

    `note` is at its top. A live page asks the server that it came from whether there is more.
    """
    collector = Collector()
    found: list[Finding] = []
    frames = Frames(_counted(collector.watch(analysis), found, most))
    blocks = list(frames.blocks())
    rest = analysis.finish()
    cut = str(analysis.records.truncated) if analysis.records.truncated is not None else ""
    summary = collector.finish(analysis.session, rest, file, cut=cut, withheld=sum(analysis.withheld.values()))
    return session_page(summary, found + rest, frames, blocks, note=note, is_live=is_live)


def _counted(judged: Iterable[Judged], found: list[Finding], most: int) -> Iterator[Judged]:
    """The same, with the findings collected."""
    for number, (event, findings) in enumerate(judged, 1):
        if number > most:
            raise TooManyFramesError
        found += findings
        yield event, findings
