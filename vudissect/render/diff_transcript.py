"""Both transcripts of two sessions, aligned, from the first difference on."""

from collections.abc import Iterator
from itertools import chain, dropwhile
from typing import NamedTuple

from vudissect.compare.distinction import Compared
from vudissect.compare.exchange import Exchange
from vudissect.render.style import Style
from vudissect.render.transcript import Transcript
from vudissect.session.event import Event


class AlignedLine(NamedTuple):
    """A message of both sessions, each as in a transcript; None in a session that does not have it there."""

    first: str | None
    second: str | None
    differs: bool


def aligned_transcripts(compared: Compared, style: Style) -> Iterator[str]:
    """A line per message: ` ` for one that both have, `-` and `+` for what only the first or the second has."""
    steps = dropwhile(lambda step: not any(line.differs for line in step), aligned_steps(compared))
    for line in chain.from_iterable(steps):
        if not line.differs:
            yield f"  {line.first}"
            continue
        if line.first is not None:
            yield style.bad(f"- {line.first}")
        if line.second is not None:
            yield style.reply(f"+ {line.second}")


def aligned_steps(compared: Compared) -> Iterator[list[AlignedLine]]:
    """All messages of both in order, a request with its answer."""
    ours, theirs = {*_frames(compared, first=True)}, {*_frames(compared, first=False)}
    transcript = Transcript(Style(False), times=False)

    def lines(step: Exchange | None, frames: set[int]) -> list[tuple[str, bool]]:
        events = [event for event in (step.request, step.answer) if event is not None] if step is not None else []
        return [(_text(transcript, event), event.record.frame in frames) for event in events]

    for pair in compared.steps:
        before, after = lines(pair.first, ours), lines(pair.second, theirs)
        if pair.first is None or pair.second is None or pair.moved or len(before) != len(after):
            lone = [AlignedLine(text, None, True) for text, _ in before]
            yield lone + [AlignedLine(None, text, True) for text, _ in after]
            continue
        yield [
            AlignedLine(text, other, differs or other_differs)
            for (text, differs), (other, other_differs) in zip(before, after, strict=True)
        ]


def _frames(compared: Compared, *, first: bool) -> Iterator[int]:
    for distinction in compared.distinctions:
        yield from distinction.frames if first else distinction.other_frames


def _text(transcript: Transcript, event: Event) -> str:
    """The first line without the number of the frame."""
    return transcript.text(event).partition("\n")[0].lstrip().partition(" ")[2].lstrip()
