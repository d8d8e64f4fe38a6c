"""The sentences of a summary: the verdict, how a connection ended, what is missing, and the command to run next."""

from collections.abc import Iterator

from vudissect.lint.finding import Blame, Finding
from vudissect.lint.words import count_text, event_text, request_text, time_text
from vudissect.session.event import Kind
from vudissect.session.phases import Phase
from vudissect.summary.values import ConnectionSummary, End, Missing, Outcome, Summary

# Frames shown before and after what a finding is about.
_AROUND = 8
# A command that shows more would not be an answer.
_MOST_FRAMES = 400
_MOST_NAMED = 2

_FAULTS = {
    Outcome.BROKEN: "{} wrong",
    Outcome.RISKY: "{} probably at fault",
    Outcome.INCOMPATIBLE: "{} not compatible with the other program",
}
_SIDES = {
    Blame.FRONT_END: "the front-end is",
    Blame.BACK_END: "the back-end is",
    Blame.BOTH: "both sides are",
    Blame.UNKNOWN: "one of the sides is",
}


def verdict_text(summary: Summary) -> str:
    """The verdict in one sentence, with the rule, who is to blame, and the frame."""
    verdict, shown = summary.verdict, summary.shown
    if shown is None or verdict.outcome is Outcome.EMPTY:
        return "there are no vhost-user messages in this capture"
    finding = verdict.finding
    if finding is None:
        return f"nothing is wrong: {_course(shown)}{_proviso(summary.missing)}"
    return f"{_accusation(verdict.outcome, finding)}: {finding.message}"


def _accusation(outcome: Outcome, finding: Finding) -> str:
    rule = f"{finding.rule} in #{finding.frame}" if finding.frame else finding.rule
    if finding.blame is Blame.FAULT:
        return f"an injected fault explains it ({rule})"
    if outcome is Outcome.NOTABLE:
        about = "" if finding.blame is Blame.UNKNOWN else f" about the {finding.blame.value}"
        return f"no rule is broken; worth knowing{about} ({rule})"
    return f"{_FAULTS[outcome].format(_SIDES[finding.blame])} ({rule})"


def _course(connection: ConnectionSummary) -> str:
    state, by = connection.state, connection.end.by
    if state.rings.used:
        what = "the device ran"
    elif not state.whole:
        what = "what was recorded is in order"
    elif state.phase in (Phase.CONNECTED, Phase.NEGOTIATING):
        what = "features were negotiated"
    else:
        what = "the device was set up but not started"
    return f"{what} until the {by} closed the connection" if by else f"{what}, and the connection is open at the end"


def _proviso(missing: Missing) -> str:
    return ", in the part that the capture has" if missing != Missing() else ""


def end_text(end: End) -> str:
    """Who closed the connection, after which message, and what was never answered."""
    how = f" ({end.how})" if end.how else ""
    text = f"the {end.by} closed the connection{how}" if end.by else "the connection is open where the capture ends"
    if end.last is not None:
        answer = "the answer " if end.last.kind in (Kind.REPLY, Kind.ACK) else ""
        text = f"{text}, {time_text(end.after)} after {answer}{event_text(end.last)}"
    if not end.unanswered:
        return text
    named = ", ".join(map(request_text, end.unanswered[:_MOST_NAMED]))
    rest = len(end.unanswered) - _MOST_NAMED
    return f"{text}; never answered: {named}{f' and {rest} more' if rest > 0 else ''}"


def stall_text(summary: Summary) -> str:
    """What does not go on in a ring, since when, and whose turn it is; "" if nothing is known to stall.

    It is that of the connection to look at, or else of the first that has one.
    """
    connections = [connection for connection in summary.connections if connection.stall is not None]
    connection = summary.shown if summary.shown in connections else next(iter(connections), None)
    if connection is None or connection.stall is None:
        return ""
    stall = connection.stall
    where = "" if connection is summary.shown else f"connection {connection.number}, "
    lasts = connection.began + connection.duration - stall.since
    return (
        f"{where}ring {stall.ring}: {stall.what} has waited since {time_text(stall.since)}, for {time_text(lasts)}; "
        f"it is the turn of the {stall.holder.value}: {stall.why} (#{stall.frame})"
    )


def missing_texts(missing: Missing) -> Iterator[str]:
    """What the capture does not have, and what is therefore unknown."""
    if missing.beginnings:
        which = ", ".join(map(str, missing.beginnings))
        yield f"the beginning of connection {which} was not recorded: what was set before is unknown"
    if missing.gaps:
        many = f"{missing.messages} messages" if missing.messages else "an unknown number of messages"
        yield f"{many} are missing in {count_text(missing.gaps, 'gap')}: what they changed is unknown"
    if missing.cut:
        yield f"{missing.cut}: what came after is unknown"


def next_command(summary: Summary) -> tuple[str, ...]:
    """The arguments of the command that shows what the verdict is about."""
    finding = summary.verdict.finding
    show = ("vudissect", "show", "FILE" if summary.file == "-" else summary.file)
    if finding is None or summary.shown is None:
        return show
    frames = [frame for frame in (finding.frame, *finding.frames) if frame]
    if not frames:
        return show if summary.total == 1 else (*show, "-Y", f"connection={finding.connection}")
    first, last = max(1, min(frames) - _AROUND), max(frames) + _AROUND
    if last - first > _MOST_FRAMES:
        first, last = max(1, frames[0] - _AROUND), frames[0] + _AROUND
    return (*show, "-Y", f"frame>={first} and frame<={last}")
