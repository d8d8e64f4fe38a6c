"""Text for people: the transcript, the report of the linter, the report of a replay."""

from collections.abc import Iterator

from vudissect.render.format import (
    AnyFormat,
    Counted,
    Differing,
    Format,
    Option,
    Replayed,
    Reported,
    Shown,
    Stated,
    Summarised,
    Syntax,
    Timed,
)
from vudissect.render.units import printable


def _transcript(shown: Shown) -> Iterator[str]:
    from vudissect.capture.record import RecordKind
    from vudissect.render.transcript import Transcript
    from vudissect.summary.faults import Injected

    transcript = Transcript(
        shown.style,
        verbose=Option.VERBOSE in shown.options,
        times=Option.NO_TIMES not in shown.options,
        verdict=shown.verdict,
    )
    faults = Injected()
    for event, findings in shown.judged:
        if event.message is None and event.record.kind is RecordKind.FAULT:
            faults.see(event.record)
        yield transcript.text(event, findings)
    ending = shown.ending()
    yield transcript.unanswered(ending.unanswered, ending.findings)
    yield transcript.findings(ending.findings)
    if text := faults.text:
        # A comment, so that the transcript can be composed again.
        yield shown.style.dim(f"# {printable(text)}") + "\n"


def _findings(linted: Reported) -> Iterator[str]:
    from vudissect.render.findings import report

    for capture in linted.captures:
        if linted.several:
            yield f"{printable(capture.file)}:\n"
        _, findings, withheld, messages, _, known = capture
        for line in report(findings, withheld, messages, linted.style, known=known, usual=linted.usual):
            yield f"{line}\n"


def _counts(counted: Counted) -> Iterator[str]:
    from vudissect.render.fleet import fleet_lines

    return (f"{line}\n" for line in fleet_lines(counted.counts(), counted.style))


def _outcome(replayed: Replayed) -> Iterator[str]:
    from vudissect.render.replay import report

    return (f"{line}\n" for line in report(replayed.outcome, replayed.file, replayed.style))


def _states(stated: Stated) -> Iterator[str]:
    from vudissect.render.dialects import verdict_lines
    from vudissect.render.state import state_lines

    if not stated.connections:
        yield f"no connection is open {f'at frame {stated.frame}' if stated.frame else 'before the first frame'}\n"
    for state, pairing, verdict in stated.connections:
        for line in state_lines(state, pairing):
            yield f"{line}\n"
        for line in verdict_lines(verdict) if verdict is not None else ():
            yield f"  {line}\n"


def _summaries(summarised: Summarised) -> Iterator[str]:
    from vudissect.render.summary import summary_lines

    for number, summary in enumerate(summarised.summaries):
        if summarised.several:
            yield "\n" if number else ""
            yield f"{printable(summary.file)}:\n"
        for line in summary_lines(summary, summarised.style, summarised.width):
            yield f"{line}\n"


def _differences(differing: Differing) -> Iterator[str]:
    from vudissect.render.diff import diff_lines

    parts, files, about, style, in_order = differing
    lines = diff_lines(parts, files, about, style, in_order=in_order)
    return (f"{line}\n" for line in lines)


def _times(timed: Timed) -> Iterator[str]:
    from vudissect.render.times import times_lines

    return (f"{line}\n" for line in times_lines(timed))


FORMATS: tuple[AnyFormat, ...] = (
    Format("text", Shown, Syntax.TEXT, "formats.md#text", _transcript, frozenset({Option.VERBOSE, Option.NO_TIMES})),
    Format("text", Differing, Syntax.TEXT, "formats.md#text", _differences, frozenset({Option.SINCE_FIRST})),
    Format("text", Summarised, Syntax.TEXT, "formats.md#text", _summaries),
    Format("text", Reported, Syntax.TEXT, "formats.md#text", _findings),
    Format("text", Counted, Syntax.TEXT, "formats.md#text", _counts),
    Format("text", Replayed, Syntax.TEXT, "formats.md#text", _outcome),
    Format("text", Timed, Syntax.TEXT, "formats.md#text", _times),
    Format("text", Stated, Syntax.TEXT, "formats.md#text", _states),
)
