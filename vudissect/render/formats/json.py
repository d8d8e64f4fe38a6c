"""JSON for programs: one object for each event, each finding and each connection, or for the replay as a whole."""

from collections.abc import Iterator

from vudissect.render.format import (
    AnyFormat,
    Counted,
    Differing,
    Format,
    Replayed,
    Reported,
    Shown,
    Stated,
    Summarised,
    Syntax,
    Timed,
)


def _events(shown: Shown) -> Iterator[str]:
    from vudissect.render.jsonl import json_lines

    return json_lines(shown.judged, look_ahead=not shown.live)


def _findings(linted: Reported) -> Iterator[str]:
    from vudissect.lint.groups import in_order
    from vudissect.render.findings import finding_json

    for capture in linted.captures:
        for finding in in_order(capture.findings):
            yield f"{finding_json(finding, capture.file)}\n"


def _counts(counted: Counted) -> Iterator[str]:
    from vudissect.render.fleet import fleet_json

    return (f"{line}\n" for line in fleet_json(counted.counts()))


def _outcome(replayed: Replayed) -> Iterator[str]:
    from vudissect.render.replay import outcome_json

    yield f"{outcome_json(replayed.outcome, replayed.file)}\n"


def _states(stated: Stated) -> Iterator[str]:
    from vudissect.render.state_json import state_json

    for state, pairing, _ in stated.connections:
        yield f"{state_json(state, pairing, stated.frame, stated.file)}\n"


def _summaries(summarised: Summarised) -> Iterator[str]:
    from vudissect.render.summary_json import summary_json

    return (f"{summary_json(summary)}\n" for summary in summarised.summaries)


def _differences(differing: Differing) -> Iterator[str]:
    from vudissect.render.diff_json import diff_json

    return (f"{line}\n" for line in diff_json(differing.parts, differing.files, differing.about))


def _times(timed: Timed) -> Iterator[str]:
    from vudissect.render.times_json import times_json

    return (f"{line}\n" for line in times_json(timed))


FORMATS: tuple[AnyFormat, ...] = (
    Format("json", Shown, Syntax.JSON_LINES, "json.md#events", _events),
    Format("json", Summarised, Syntax.JSON_LINES, "json.md#summaries", _summaries),
    Format("json", Reported, Syntax.JSON_LINES, "json.md#findings", _findings),
    Format("json", Counted, Syntax.JSON_LINES, "json.md#counted-findings", _counts),
    Format("json", Replayed, Syntax.JSON_LINES, "json.md#replays", _outcome),
    Format("json", Differing, Syntax.JSON_LINES, "json.md#differences", _differences),
    Format("json", Timed, Syntax.JSON_LINES, "json.md#times", _times),
    Format("json", Stated, Syntax.JSON_LINES, "json.md#states", _states),
)
