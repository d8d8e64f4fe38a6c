"""The input of the formats in their tests."""

from collections import deque
from collections.abc import Sequence

from tests.conversation import Conversation
from vudissect.analysis import Analysis
from vudissect.compare.captures import by_connection, compare_captures
from vudissect.lint.rule import Rule
from vudissect.render.format import CaptureReport, Differing, Ending, Option, Reported, Shown, Summarised, Timed
from vudissect.render.style import Style
from vudissect.summary.collect import Collector
from vudissect.timing import collect as timing
from vudissect.timing.migration import Track, migrations

PLAIN = Style(False)


def broken() -> Conversation:
    """A front-end that requests the features, gets no reply, and enables a ring with 7."""
    talk = Conversation()
    talk.front_end("GET_FEATURES")
    talk.front_end("SET_VRING_ENABLE", index=3, num=7)
    return talk


def shown(talk: Conversation, *options: Option, rules: Sequence[Rule] | None = None) -> Shown:
    analysis = Analysis(talk.records, rules=rules)
    session = analysis.session

    def ending() -> Ending:
        return Ending(analysis.finish(), session.unanswered())

    return Shown(analysis, ending, session.dialect, PLAIN, frozenset(options))


def summarised(*talks: Conversation) -> Summarised:
    summaries = []
    for number, talk in enumerate(talks, 1):
        collector, analysis = Collector(), Analysis(talk.records)
        deque(collector.watch(analysis), maxlen=0)
        summaries.append(collector.finish(analysis.session, analysis.finish(), f"{number}.pcapng"))
    return Summarised(summaries, len(talks) > 1, PLAIN, 80)


def differing(first: Conversation, second: Conversation, *, in_order: bool = False) -> Differing:
    ours, theirs = (by_connection((event for event, _ in Analysis(talk.records)), 100) for talk in (first, second))
    return Differing(compare_captures(ours, theirs), ("1.pcapng", "2.pcapng"), [], PLAIN, in_order)


def timed(*talks: Conversation) -> Timed:
    captures, tracks = [], list[tuple[str, Track]]()
    for number, talk in enumerate(talks, 1):
        collector, file = timing.Collector(), f"{number}.pcapng"
        deque(collector.watch(Analysis(talk.records)), maxlen=0)
        captures.append(collector.finish(file, ()))
        tracks += ((file, track) for track in collector.tracks())
    return Timed(captures, list(migrations(tracks)), PLAIN)


def linted(*talks: Conversation, complaints: Sequence[str] = (), strict: bool = False) -> Reported:
    captures = [
        CaptureReport(f"{number}.pcapng", *Analysis(talk.records).lint(), complaints)
        for number, talk in enumerate(talks, 1)
    ]
    return Reported(captures, len(talks) > 1, strict, PLAIN)
