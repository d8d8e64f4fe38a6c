"""The message table for people: a list, a single message, and a page of the documentation."""

from collections.abc import Iterable, Iterator, Sequence

from vudissect.protocol.model import (
    Answer,
    BitField,
    Channel,
    Descriptors,
    Field,
    Gate,
    Layout,
    Meaning,
    PhaseNeeded,
    Row,
)
from vudissect.protocol.table import Protocol

_TYPES = {"B": "u8", "H": "u16", "I": "u32", "Q": "u64", "i": "i32", "q": "i64"}

# What is left out in a page with hundreds of messages.
_USUAL = {("descriptors", "none"), ("needs", "nothing")}
_MOST_IN_A_LINE = 2


def message_list(messages: Iterable[Row]) -> Iterator[str]:
    """One line per message, under a heading for each channel."""
    channel = None
    for row in messages:
        if row.channel is not channel:
            channel = row.channel
            yield f"{channel.label} channel, requests of the {channel.initiator.label}:"
            yield f"  {'id':>4} {'name':<26} {'request':<24} {'reply':<22} {'descriptors':<32} needs"
        yield (
            f"  {row.id:>4} {row.name:<26} {_sizes(row.request):<24} {_reply(row):<22} "
            f"{_fds(row.fds):<32} {_gate(row.gate)}"
        ).rstrip()


def message_detail(row: Row) -> Iterator[str]:
    """Everything in the table about one message."""
    yield f"{row.name} ({row.channel.label} channel, {row.id}, sent by the {row.initiator.label})"
    yield f"  {row.summary}"
    for title, text in (*_facts(row), ("source", row.source)):
        yield f"  {title + ':':<14}{text}"
    for title, layouts in (("request", row.request), ("reply", row.reply)):
        for layout in layouts:
            yield f"  {title + ':':<14}{_layout_title(layout)}"
            for offset, text in _field_rows(layout):
                yield f"      {offset:>5}  {text}"


def markdown(protocol: Protocol) -> Iterator[str]:
    """The lines of the page `docs/messages.md`."""
    yield "# Messages"
    yield ""
    yield f"Generated from the message table (dialect `{protocol.key}`) by `vudissect messages --markdown`."
    for channel in Channel:
        rows = protocol.channel(channel)
        yield ""
        yield f"## {channel.label} channel: requests of the {channel.initiator.label}"
        yield ""
        yield f"Source: {'; '.join(dict.fromkeys(row.source for row in rows))}."
        yield ""
        yield "| id | name | request | reply | descriptors | needs | since |"
        yield "|---:|---|---|---|---|---|---|"
        for row in rows:
            cells = (_sizes(row.request), _reply(row), _fds(row.fds), _gate(row.gate), str(row.since))
            yield f"| {row.id} | [{row.name}](#{_anchor(row)}) | {' | '.join(cells)} |"
    for row in protocol.messages:
        yield ""
        yield f'### <a id="{_anchor(row)}"></a>{row.name} ({row.channel.label} {row.id})'
        yield ""
        yield row.summary
        yield ""
        yield from (f"- {title}: {text}" for title, text in _facts(row) if (title, text) not in _USUAL)
        for title, layouts in (("Request", row.request), ("Reply", row.reply)):
            for layout in layouts:
                yield ""
                yield from _layout_markdown(f"{title}: {_layout_title(layout)}", list(_field_rows(layout)))


def _layout_markdown(title: str, fields: Sequence[tuple[int, str]]) -> Iterator[str]:
    """A line for a small layout, else a table."""
    if not fields:
        yield title
    elif len(fields) <= _MOST_IN_A_LINE:
        yield f"{title} ({', '.join(f'{text} at {offset}' if offset else text for offset, text in fields)})"
    else:
        yield title
        yield ""
        yield "| offset | field |"
        yield "|---:|---|"
        yield from (f"| {offset} | {text} |" for offset, text in fields)


def _anchor(row: Row) -> str:
    return f"{row.channel.label}-{row.id}"


def _facts(row: Row) -> Iterator[tuple[str, str]]:
    if row.aliases:
        yield "also called", ", ".join(row.aliases)
    conditional = row.answer in (Answer.IF_LOG_SHMFD, Answer.IF_POSTCOPY)
    yield "answered", f"{row.answer.value}, else {Answer.ON_REQUEST.value}" if conditional else row.answer.value
    yield "descriptors", _with_note(_fds(row.fds), row.fds.note)
    if row.reply_fds.most:
        yield "on the reply", _with_note(_fds(row.reply_fds), row.reply_fds.note)
    yield "needs", _with_note(_gate(row.gate) or "nothing", row.gate.note)
    if row.opens is not None:
        yield "opens", f"the {row.opens.label} channel"
    if row.version > 1:
        yield "header", f"version {row.version}"
    yield "since", str(row.since)


def _sizes(layouts: tuple[Layout, ...]) -> str:
    specified = [layout.size_text for layout in layouts if not layout.deviation]
    return " or ".join(dict.fromkeys(specified))


def _reply(row: Row) -> str:
    if row.answer is Answer.NEVER:
        return "never"
    if row.answer is Answer.ON_REQUEST:
        return "ack on request"
    if row.answer is Answer.IF_REPLY_ALL:
        return "the request"
    sizes = _sizes(row.reply)
    return sizes if row.answer is Answer.ALWAYS else f"{sizes}; ack"


def _fds(fds: Descriptors) -> str:
    if not fds.most:
        return "none"
    if fds.per:
        count = f"1 per region ({fds.least} to {fds.most})"
    else:
        count = str(fds.most) if fds.least == fds.most else f"{fds.least} or {fds.most}"
    return f"{count} {fds.kind}"


def _gate(gate: Gate) -> str:
    names = " + ".join([*gate.protocol, *gate.virtio, *gate.gpu])
    return f"{names} offered" if gate.phase is PhaseNeeded.OFFERED else names


def _with_note(text: str, note: str) -> str:
    return f"{text} ({note})" if note else text


def _layout_title(layout: Layout) -> str:
    title = f"{layout.title}, {layout.size_text} bytes"
    for remark in (layout.note, layout.deviation and f"not specified: {layout.deviation}"):
        title += f"; {remark}" if remark else ""
    return title


def _field_rows(layout: Layout) -> Iterator[tuple[int, str]]:
    """Offset and description of each field, and of the array or tail after them."""
    offset = 0
    for field in layout.fields:
        yield offset, _field(field)
        offset += field.size
    if layout.array is not None:
        count = layout.array.count if layout.array.count is not None else "as many as fit"
        inner = ", ".join(f"{field.name} {_type(field)}" for field in layout.array.entry.fields)
        yield offset, f"{layout.array.name}: {count} x {{{inner}}}"
    if layout.tail is not None:
        length = " x ".join(str(factor) for factor in layout.tail.length) or "the rest"
        yield offset, f"{layout.tail.field.name}: {length} bytes"


def _field(field: Field) -> str:
    text = f"{field.name} {_type(field)}"
    if field.parts:
        text += ": " + ", ".join(_part(part) for part in field.parts)
    elif field.choices:
        text += ": " + ", ".join(f"{value} {name}" for value, name in field.choices.items())
    elif field.bits is not None:
        text += f": {field.bits.name}"
    elif field.meaning is not Meaning.NUMBER:
        text += f": {field.meaning.value}"
    if field.feature:
        text += f"; with {field.feature}"
    return f"{text}; {field.note}" if field.note else text


def _part(part: BitField) -> str:
    last = part.low + part.width - 1
    return f"{part.name} bit {part.low}" if part.width == 1 else f"{part.name} bits {part.low}-{last}"


def _type(field: Field) -> str:
    return _TYPES.get(field.code, f"{field.size} bytes")
