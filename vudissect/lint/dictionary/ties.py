"""Ties a line of a log to a capture of the same session: frames and findings."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from vudissect.lint.dictionary.entry import Fate
from vudissect.lint.dictionary.evidence import Connection, Evidence, Sent
from vudissect.lint.dictionary.recognise import Recognised
from vudissect.lint.finding import Finding, Severity
from vudissect.lint.words import count_text, time_text
from vudissect.protocol.model import Row, Side
from vudissect.protocol.table import UPSTREAM
from vudissect.protocol.unknown import message_name
from vudissect.session.pairing import Request

_MOST_CONNECTIONS = 3
_MOST_REFUSALS = 3
_MOST_MESSAGES = 4
_MOST_FINDINGS = 4
_MOST_RINGS = 8
_WORST_FIRST = {
    severity: place for place, severity in enumerate((Severity.ERROR, Severity.WARNING, Severity.COMPAT, Severity.INFO))
}


class Tie(NamedTuple):
    """What a capture shows about a line: sentences with frames, and findings, worst first."""

    sentences: tuple[str, ...]
    findings: tuple[Finding, ...]


def tie(known: Recognised, evidence: Evidence) -> Tie:
    """What the capture shows about a line; if nothing, what it shows at its end."""
    entry = known.entries[0] if known.entries else None
    fates = {each.fate for each in known.entries}
    sentences: list[str] = []
    frames: set[int] = set()
    endings: list[Connection] = []
    if Fate.REFUSED in fates:
        sentences += _refusals(known, evidence, frames)
    if Fate.CLOSED in fates or (Fate.REFUSED in fates and not sentences):
        endings = _endings(known, evidence)
        sentences += _closed(endings, known, evidence)
    if Fate.WAITING in fates:
        sentences += _waits(evidence)
    if Fate.UNREACHABLE in fates:
        sentences.append(_connections(evidence))
    sentences += _messages(known, evidence, frames)
    for connection in endings:
        frames.add(connection.frame)
        frames |= {message.frame for message in connection.last.values()}
        frames |= {request.frame for request in connection.waiting}
    rules = {rule for each in known.entries for rule in each.rules}
    findings = _findings(evidence, rules, frames)
    if not sentences and not findings:
        sentences = list(_end(evidence))
    elif entry is not None and not sentences:
        sentences = [_what_is_wrong(findings)]
    return Tie(tuple(sentences), findings)


def _endings(known: Recognised, evidence: Evidence) -> list[Connection]:
    """The connections whose end the line may be about, the likeliest first."""
    closer = _closer(known)
    rows = set(known.facts.rows)
    ended = [each for each in evidence.ended if closer is None or each.by in (closer.label, Side.PROXY.label)]

    def likelihood(connection: Connection) -> tuple[bool, bool, bool]:
        asked = {request.row for request in connection.waiting} | {message.row for message in connection.last.values()}
        return bool(rows & asked), bool(connection.waiting), bool(connection.running)

    return sorted(ended, key=likelihood, reverse=True)[:_MOST_CONNECTIONS]


def _closer(known: Recognised) -> Side | None:
    """The side that closed the connection, if the line is about that: a back-end that refuses a message does."""
    entry = known.entries[0]
    if entry.program.side is Side.BACK_END and entry.fate is not Fate.REFUSED:
        return Side.FRONT_END
    return None if entry.program.side is None else Side.BACK_END


def _closed(endings: list[Connection], known: Recognised, evidence: Evidence) -> Iterator[str]:
    for connection in endings:
        yield _end_of(connection)
    if not endings:
        closer = _closer(known)
        yield f"no connection was closed{f' by the {closer.label}' if closer is not None else ''} in this capture"
        yield from _end(evidence)
    elif (more := len([each for each in evidence.ended if each.by == endings[0].by]) - len(endings)) > 0:
        yield f"{count_text(more + evidence.forgotten, 'other connection')} closed by the {endings[0].by}"


def _end_of(connection: Connection) -> str:
    how = f" ({connection.how})" if connection.how else ""
    closed = f"{_name(connection)} was closed by the {connection.by}{how} in #{connection.frame}"
    return closed + _circumstances(connection)


def _circumstances(connection: Connection) -> str:
    """What came before the end, how long before, and what was pending or running."""
    closer = Side.BACK_END if connection.by == Side.BACK_END.label else Side.FRONT_END
    other = Side.FRONT_END if closer is Side.BACK_END else Side.BACK_END
    received, sent = connection.last.get(other), connection.last.get(closer)
    parts = []
    if received is not None:
        before = time_text(connection.time - received.time)
        parts.append(f"the last message from the {other.label} is {received.text}, {before} earlier")
    if sent is not None:
        parts.append(f"its own last message is {sent.text}")
    if connection.waiting:
        parts.append(f"not answered: {_requests(connection.waiting)}")
    if connection.running:
        parts.append(f"{_rings(connection.running)} {'were' if len(connection.running) > 1 else 'was'} running")
    if connection.undelivered:
        parts.append(f"{count_text(connection.undelivered, 'later message')} could not be delivered")
    return f": {'; '.join(parts)}" if parts else ""


def _refusals(known: Recognised, evidence: Evidence, frames: set[int]) -> Iterator[str]:
    rows = _rows(known)
    refusals = [each for each in evidence.refusals if not rows or each.request.row in rows] or list(evidence.refusals)
    for refusal in refusals[:_MOST_REFUSALS]:
        frames |= {refusal.frame, refusal.request.frame}
        yield (
            f"{_request(refusal.request)} was refused: the answer in #{refusal.frame} is {refusal.value:#x}, "
            f"after {time_text(refusal.latency)}"
        )
    if len(refusals) > _MOST_REFUSALS:
        yield f"{count_text(len(refusals) - _MOST_REFUSALS, 'other request')} refused"


def _waits(evidence: Evidence) -> Iterator[str]:
    for connection in [*evidence.open.values(), *evidence.ended]:
        if connection.waiting:
            request = connection.waiting[0]
            end = f"{_name(connection)} ends in #{connection.frame}" if connection.by else "the capture ends"
            waited = time_text(connection.time - request.forwarded)
            yield f"{_requests(connection.waiting)} had no answer when {end}, {waited} later"


def _connections(evidence: Evidence) -> str:
    if not evidence.opened:
        return "there is no connection in this capture"
    first = min([*evidence.open.values(), *evidence.ended], key=lambda connection: connection.number)
    how_many = "one connection was" if evidence.opened == 1 else f"{evidence.opened} connections were"
    return (
        f"{how_many} opened in this capture, so the line is from before or after it, or about another socket; "
        f"{_state_of(first)}"
    )


def _messages(known: Recognised, evidence: Evidence, frames: set[int]) -> Iterator[str]:
    """The messages that the line names, or if none, those that it is about."""
    names = [(named.row.channel, message_name(named.row, named.number)) for named in known.facts.messages]
    for place in dict.fromkeys(names[:_MOST_MESSAGES]):
        sent = evidence.sent.get(place)
        if sent is None:
            yield f"{place[1]} is not in this capture"
        else:
            frames |= {*sent.first, sent.last}
            yield _sent(sent)
    if not names:
        about = {purpose for entry in known.entries for purpose in entry.about}
        found = [sent for sent in evidence.sent.values() if sent.row.purpose in about]
        for sent in found[:_MOST_MESSAGES]:
            frames |= {*sent.first, sent.last}
            yield _sent(sent)


def _sent(sent: Sent) -> str:
    if sent.count == 1:
        return f"{sent.name} was sent in #{sent.last}"
    return f"{sent.name} was sent {sent.count} times, first in #{sent.first[0]} and last in #{sent.last}"


def _end(evidence: Evidence) -> Iterator[str]:
    """What the capture shows at its end."""
    connections = [*evidence.open.values(), *list(evidence.ended)[-_MOST_CONNECTIONS:]]
    for connection in connections[:_MOST_CONNECTIONS]:
        yield _state_of(connection)
    if not connections:
        yield "there is no connection in this capture"


def _state_of(connection: Connection) -> str:
    if connection.by:
        return _end_of(connection)
    last = connection.last_message
    parts = [f"{_name(connection)} is open when the capture ends (#{connection.frame})"]
    if last is not None:
        parts.append(f"the last message is {last.text}")
    parts.append(
        f"waiting for the answer to {_requests(connection.waiting)}"
        if connection.waiting
        else "nothing waits for an answer"
    )
    if connection.running:
        parts.append(f"{_rings(connection.running)} running")
    return ", ".join(parts)


def _findings(evidence: Evidence, rules: set[str], frames: set[int]) -> tuple[Finding, ...]:
    """The findings of the rules of the line, and those in the named frames, worst and nearest first."""
    found = [
        finding
        for finding in evidence.findings
        if finding.rule in rules or (finding.frame in frames and finding.severity is not Severity.INFO)
    ]
    found.sort(key=lambda finding: (_WORST_FIRST[finding.severity], finding.rule not in rules, finding.frame))
    return tuple(found[:_MOST_FINDINGS])


def _what_is_wrong(findings: tuple[Finding, ...]) -> str:
    return (
        f"the linter has findings about it in {', '.join(dict.fromkeys(f'#{finding.frame}' for finding in findings))}"
    )


def _rows(known: Recognised) -> set[Row]:
    about = {purpose for entry in known.entries for purpose in entry.about}
    return {*known.facts.rows, *(row for row in UPSTREAM.messages if row.purpose in about)}


def _name(connection: Connection) -> str:
    front_end, back_end = connection.programs
    programs = f" ({front_end or '?'}, {back_end or '?'})" if front_end or back_end else ""
    return f"connection {connection.number}{programs}"


def _request(request: Request) -> str:
    return f"{request.name} (#{request.frame})"


def _requests(requests: Iterable[Request]) -> str:
    return ", ".join(_request(request) for request in requests)


def _rings(indexes: tuple[int, ...]) -> str:
    if len(indexes) > _MOST_RINGS:
        return f"{len(indexes)} rings"
    return f"ring{'s' if len(indexes) > 1 else ''} {', '.join(map(str, indexes))}"
