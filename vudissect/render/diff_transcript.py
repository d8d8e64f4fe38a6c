"""Both transcripts of two sessions, aligned, from the first difference on."""

from collections.abc import Iterator
from itertools import dropwhile

from vudissect.compare.align import Aligned
from vudissect.compare.distinction import Compared
from vudissect.compare.exchange import Exchange
from vudissect.render.style import Style
from vudissect.render.transcript import Transcript
from vudissect.session.event import Event


def aligned_transcripts(compared: Compared, style: Style) -> Iterator[str]:
    """A line per message: ` ` for one that both have, `-` and `+` for what only the first or the second has."""
    different = [*_frames(compared, first=True)], [*_frames(compared, first=False)]
    ours, theirs = set(different[0]), set(different[1])
    transcript = Transcript(Style(False), times=False)

    def lines(step: Exchange | None, frames: set[int]) -> list[tuple[str, bool]]:
        events = [event for event in (step.request, step.answer) if event is not None] if step is not None else []
        return [(_text(transcript, event), event.record.frame in frames) for event in events]

    def is_equal(pair: Aligned) -> bool:
        if pair.first is None or pair.second is None or pair.moved:
            return False
        return not any(differs for _, differs in (*lines(pair.first, ours), *lines(pair.second, theirs)))

    for pair in dropwhile(is_equal, compared.steps):
        before, after = lines(pair.first, ours), lines(pair.second, theirs)
        if pair.first is None or pair.second is None or pair.moved or len(before) != len(after):
            yield from (style.bad(f"- {text}") for text, _ in before)
            yield from (style.reply(f"+ {text}") for text, _ in after)
            continue
        for (text, differs), (other, _) in zip(before, after, strict=True):
            yield style.bad(f"- {text}") if differs else f"  {text}"
            if differs:
                yield style.reply(f"+ {other}")


def _frames(compared: Compared, *, first: bool) -> Iterator[int]:
    for distinction in compared.distinctions:
        yield from distinction.frames if first else distinction.other_frames


def _text(transcript: Transcript, event: Event) -> str:
    """The first line without the number of the frame."""
    return transcript.text(event).partition("\n")[0].lstrip().partition(" ")[2].lstrip()
