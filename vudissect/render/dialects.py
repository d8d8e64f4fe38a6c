"""Dialects for people: a list, a single dialect, a page of the documentation, and the meanings of a number."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from textwrap import wrap
from typing import TypeVar

from vudissect.protocol.bits import Bit
from vudissect.protocol.dialects import DIALECTS, UPSTREAM_DIALECT
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.protocol.model import Channel, Row
from vudissect.protocol.table import UPSTREAM
from vudissect.protocol.unknown import message_name
from vudissect.render.table import message_detail, message_list
from vudissect.session.dialect import Evidence, Verdict

T = TypeVar("T")

_WIDTH = 96
# A line of a transcript names no more messages as evidence.
_MOST_FRAMES = 3


def dialect_list() -> Iterator[str]:
    """One line per dialect."""
    for dialect in DIALECTS:
        yield f"{dialect.key:<15} {dialect.when:<25} {dialect.title} ({dialect.who})"


def dialect_detail(dialect: Dialect) -> Iterator[str]:
    """All differences between a dialect and upstream."""
    yield f"{dialect.key}: {dialect.title}"
    for title, text in _facts(dialect):
        first, *rest = wrap(text, _WIDTH)
        yield f"  {title + ':':<19}{first}"
        yield from (" " * 21 + line for line in rest)
    if dialect.changed:
        yield ""
        yield from message_list(dialect.changed)


Meanings = dict[Row, list[Dialect]]


def elsewhere(text: str) -> Meanings:
    """What a name or number means in dialects that differ from upstream there."""
    found: Meanings = {}
    for dialect in DIALECTS:
        for row in dialect.protocol.find(text):
            if _is_own(dialect, row):
                found.setdefault(row, []).append(dialect)
    return found


def meaning_detail(row: Row, dialects: Iterable[Dialect]) -> Iterator[str]:
    """A row of dialects other than upstream."""
    yield f"in {', '.join(f'{dialect.key} ({dialect.when})' for dialect in dialects)}:"
    yield from ("  " + line for line in message_detail(row))


def _is_own(dialect: Dialect, row: Row) -> bool:
    """Whether a row means something else than upstream's; having no answer does not count as another meaning."""
    if row not in dialect.changed:
        return False
    upstream = UPSTREAM.request(row.channel, row.id)
    return (
        upstream is None
        or (upstream.name, upstream.request, upstream.fds, upstream.gate)
        != (
            row.name,
            row.request,
            row.fds,
            row.gate,
        )
        or bool(row.reply and row.reply != upstream.reply)
    )


def _facts(dialect: Dialect) -> Iterator[tuple[str, str]]:
    yield "when", dialect.when
    yield "who", dialect.who
    yield "source", dialect.source
    if dialect.note:
        yield "note", dialect.note
    if dialect.base is not None:
        yield "based on", dialect.base.key
    if dialect.as_of is not None:
        yield "based on", f"upstream as of {dialect.as_of}"
    header = dialect.protocol.header
    if header != UPSTREAM.header:
        yield "header versions", " and ".join(map(str, header.versions))
        yield "failed requests", f"are sent back with {header.error:#x} in their number"
    if dialect.changed_bits:
        yield "protocol features", ", ".join(_bit(bit) for bit in dialect.changed_bits)
    if dialect.missing_bits:
        yield "missing features", _numbers(dialect.missing_bits, UPSTREAM.protocol_features.bits, attrgetter("number"))
    if dialect.missing:
        yield (
            "missing messages",
            ", ".join(
                f"{channel.label} {_numbers(tuple(rows), UPSTREAM.channel(channel), attrgetter('id'))}"
                for channel, rows in groupby(dialect.missing, lambda row: row.channel)
            ),
        )


def _bit(bit: Bit) -> str:
    return f"{bit.number} {bit.name}" + (f" ({bit.note})" if bit.note else "")


def _numbers(missing: Sequence[T], known: Sequence[T], number_of: Callable[[T], int]) -> str:
    """Numbers in ascending order, with ranges: `1-3, 7, from 19`, or `all`.

    The last range is open, so that the text remains as it is when upstream grows.
    """
    if len(missing) == len(known):
        return "all"
    runs: list[list[int]] = []
    for number in map(number_of, missing):
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    *closed, last = runs
    is_open = last[-1] == max(map(number_of, known))
    return ", ".join([*map(_range, closed), f"from {last[0]}" if is_open else _range(last)])


def _range(ends: Sequence[int]) -> str:
    return "-".join(map(str, ends))


def markdown() -> Iterator[str]:
    """The lines of the page `docs/dialects.md`."""
    yield "# Dialects"
    yield ""
    yield "Generated from the dialects by `vudissect dialects --markdown`. A dialect is a set of differences from"
    yield "[upstream](messages.md): messages, protocol features, header."
    yield ""
    yield "| dialect | when | what | who |"
    yield "|---|---|---|---|"
    for dialect in DIALECTS:
        yield f"| [{dialect.key}](#{dialect.key}) | {dialect.when} | {dialect.title} | {dialect.who} |"
    yield ""
    yield "## Contested numbers"
    yield ""
    yield "Numbers with several meanings, now or in the past. `vudissect messages NUMBER` shows them in full."
    yield ""
    yield "| channel | number | upstream | elsewhere |"
    yield "|---|---:|---|---|"
    yield from _contested()
    yield ""
    yield "| protocol feature | upstream | elsewhere |"
    yield "|---:|---|---|"
    yield from _contested_bits()
    for dialect in DIALECTS:
        yield ""
        yield f'## <a id="{dialect.key}"></a>{dialect.key}: {dialect.title}'
        yield ""
        yield from (f"- {title}: {text}" for title, text in _facts(dialect))
        if dialect.changed:
            yield ""
            yield "```"
            yield from message_list(dialect.changed)
            yield "```"


def _contested() -> Iterator[str]:
    names: dict[tuple[Channel, int], dict[str, list[str]]] = {}
    for dialect in DIALECTS:
        for row in dialect.changed:
            if _is_own(dialect, row):
                names.setdefault((row.channel, row.id), {}).setdefault(row.name, []).append(dialect.key)
    for (channel, number), others in sorted(names.items()):
        upstream = UPSTREAM.request(channel, number)
        yield f"| {channel.label} | {number} | {upstream.name if upstream is not None else ''} | {_others(others)} |"


def _contested_bits() -> Iterator[str]:
    names: dict[int, dict[str, list[str]]] = {}
    for dialect in DIALECTS:
        for bit in dialect.changed_bits:
            names.setdefault(bit.number, {}).setdefault(bit.name, []).append(dialect.key)
    upstream = UPSTREAM.protocol_features.by_number
    for number, others in sorted(names.items()):
        yield f"| {number} | {upstream[number].name if number in upstream else ''} | {_others(others)} |"


def _others(names: dict[str, list[str]]) -> str:
    return "; ".join(f"{name} ({', '.join(keys)})" for name, keys in names.items())


def dialect_line(verdict: Verdict) -> str:
    """Which dialect is in effect, and the reason in a few words."""
    frames = ", ".join(f"#{frame}" for frame in _frames_against(verdict, UPSTREAM_DIALECT)[:_MOST_FRAMES])
    reasons = ["forced"] if verdict.forced else [f"score {verdict.score}"]
    reasons += [f"{dialect.key} {score}" for dialect, score in verdict.runners_up if dialect is UPSTREAM_DIALECT]
    reasons += [f"against upstream: {frames}"] if frames and verdict.dialect is not UPSTREAM_DIALECT else []
    if verdict.open_questions:
        reasons.append(f"as good: {', '.join(question.dialect.key for question in verdict.open_questions)}")
    return f"dialect {verdict.dialect.key} ({'; '.join(reasons)})"


def _frames_against(verdict: Verdict, dialect: Dialect) -> list[int]:
    return list(dict.fromkeys(each.frame for each in verdict.evidence if dialect in each.against))


def verdict_lines(verdict: Verdict) -> Iterator[str]:
    """Which dialect is in effect and why; one line if there is no evidence against upstream."""
    how = "forced" if verdict.forced else f"score {verdict.score}"
    yield f"dialect: {verdict.dialect.key} ({how})"
    if verdict.dialect is UPSTREAM_DIALECT and not verdict.forced and not _frames_against(verdict, verdict.dialect):
        return
    yield "  runners-up: " + ", ".join(f"{dialect.key} ({score})" for dialect, score in verdict.runners_up)
    for evidence in verdict.evidence:
        yield f"  {_evidence(evidence)}"
    for question in verdict.open_questions:
        what = [f"{channel.label} message {number}" for channel, number in question.messages]
        what += [f"protocol feature {number}" for number in question.bits]
        yield f"  {question.dialect.key} fits equally well; it would differ in {', '.join(what)}"


def _evidence(evidence: Evidence) -> str:
    name = message_name(evidence.row, evidence.number)
    way = " reply" if evidence.reply else ""
    keys = ", ".join(dialect.key for dialect in evidence.against)
    return f"#{evidence.frame} {evidence.channel.label} {name}{way} is evidence against {keys}: {evidence.reason.value}"
