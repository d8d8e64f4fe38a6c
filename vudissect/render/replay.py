"""The outcome of a replay, for people and for programs."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from vudissect.capture.record import Record
from vudissect.compare.outcome import Allowed, Difference, Outcome, Trouble, Value
from vudissect.protocol.devices import feature_names
from vudissect.protocol.model import Channel, Meaning
from vudissect.render.config import decode_config
from vudissect.render.features import offered_text
from vudissect.render.style import Style
from vudissect.render.transcript import Transcript
from vudissect.render.units import duration_text, hex_text, printable, unicode
from vudissect.session.session import Session

_MOST_BYTES = 32
_DECIMAL_BELOW = 4096
# For transcripts: the lines shown around a difference, and the frames before the first that are compared.
_CONTEXT = 3
_BEFORE = 60
_MOST_SHOWN = 20
_FRAME_WIDTH = 7
# Frames that are compared line by line, in quadratic time.
_MOST_FRAMES = 1000


def report(outcome: Outcome, file: str, style: Style) -> Iterator[str]:
    """The report, line by line: differences, with the transcript around them, allowed values, counts."""
    for difference in outcome.differences[:_MOST_SHOWN]:
        yield f"{style.bad('different')} {difference_text(difference)}"
    if len(outcome.differences) > _MOST_SHOWN:
        yield f"and {len(outcome.differences) - _MOST_SHOWN} more differences"
    if outcome.differences:
        yield from transcript_diff(outcome, style)
    for allowed in _together(outcome.allowed):
        yield style.dim(f"allowed {allowed}")
    if outcome.unplayed:
        yield f"unplayed {_frames(outcome.unplayed)}"
    for remark in outcome.remarks:
        yield f"note {printable(remark)}"
    if outcome.lag:
        yield f"note fell behind real time by up to {duration_text(int(outcome.lag * 1e9))}"
    yield f"{printable(file)} as {outcome.side.label}: {_summary(outcome)}"


def _summary(outcome: Outcome) -> str:
    verdict = "no difference" if outcome.ok else f"{_count(len(outcome.differences), 'difference')}"
    counts = (
        f"{outcome.sent} messages sent, {outcome.received} received, {outcome.compared} fields compared, "
        f"{len(outcome.allowed)} allowed, {outcome.unmatched} messages unmatched, {len(outcome.unplayed)} unplayed"
    )
    times = ", ".join(
        f"{name} {duration_text(int(seconds * 1e9))}"
        for name, seconds in (
            ("took", outcome.seconds),
            ("own time", outcome.own_seconds),
            ("recorded", outcome.recorded_seconds),
        )
    )
    return f"{verdict}; {counts}; {times}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def difference_text(difference: Difference) -> str:
    """One line: where, what was expected, what came."""
    channel = "" if difference.channel is Channel.MAIN else f"{difference.channel.label} channel, "
    place = f"#{difference.frame} {channel}{difference.message}" if difference.frame else f"{channel}at the end"
    if difference.trouble is not Trouble.VALUE:
        return f"{place}: expected {printable(str(difference.expected))}, got {printable(str(difference.got))}"
    named = _named_difference(difference)
    if named:
        return f"{place} {difference.field}: {named}"
    expected, got = (_value_text(difference, value) for value in (difference.expected, difference.got))
    return f"{place} {difference.field}: expected {expected}, got {got}"


def _named_difference(difference: Difference) -> str:
    """The names of the bits or configuration fields that differ; "" if there are no names."""
    field, expected, got = difference.kind, difference.expected, difference.got
    if field is None:
        return ""
    if isinstance(expected, int) and isinstance(got, int):
        if field.meaning is Meaning.VIRTIO_FEATURES:
            missing, added = (feature_names(difference.device, word) for word in (expected & ~got, got & ~expected))
        elif field.bits is not None:
            missing, added = (field.bits.names(word) for word in (expected & ~got, got & ~expected))
        else:
            return ""
        words = [f"lacks {offered_text(missing)}"] if missing else []
        return ", ".join(words + ([f"also has {offered_text(added)}"] if added else []))
    if (
        field.meaning is Meaning.CONFIG
        and difference.device is not None
        and isinstance(expected, bytes)
        and isinstance(got, bytes)
    ):
        before, after = (decode_config(difference.device, each, difference.offset).fields for each in (expected, got))
        return ", ".join(
            f"{name} expected {printable(str(value))}, got {printable(str(after.get(name)))}"
            for name, value in before.items()
            if after.get(name) != value
        )
    return ""


def _value_text(difference: Difference, value: Value) -> str:
    if isinstance(value, bytes):
        return hex_text(value, _MOST_BYTES)
    if isinstance(value, int):
        if difference.kind is not None and value in difference.kind.choices:
            return f"{value} ({difference.kind.choices[value]})"
        return str(value) if abs(value) < _DECIMAL_BELOW else f"{value:#x}"
    return printable(str(value))


def _together(allowed: Iterable[Allowed]) -> Iterator[str]:
    """One line for all allowed values of a field, or for all messages of a name that are missing or additional."""
    groups: defaultdict[tuple[str, str, str, bool], list[Allowed]] = defaultdict(list)
    for item in allowed:
        groups[item.message, item.field, item.rule, item.got is None].append(item)
    for (message, field, rule, is_missing), items in groups.items():
        frames = _frames([item.frame for item in items])
        if field:
            first = items[0]
            yield f"{message} {field} ({rule}): {_short(first.expected)} was {_short(first.got)} in {frames}"
        else:
            yield f"{message} ({rule}): {'missing' if is_missing else 'not in the recording'} at {frames}"


def _short(value: Value) -> str:
    if isinstance(value, bytes):
        return hex_text(value, 8)
    return f"{value:#x}" if isinstance(value, int) and value >= _DECIMAL_BELOW else printable(str(value))


def _frames(frames: Sequence[int]) -> str:
    shown = ", ".join(f"#{frame}" if frame else "the end" for frame in frames[:8])
    return shown if len(frames) <= 8 else f"{shown} and {len(frames) - 8} more"


# The transcripts side by side


class _Line(NamedTuple):
    frame: int
    text: str


def transcript_diff(outcome: Outcome, style: Style) -> Iterator[str]:
    """Both transcripts around the differences, as a diff; the frames are those of the recording."""
    frames = [difference.frame for difference in outcome.differences[:_MOST_SHOWN] if difference.frame]
    last = max(frames, default=0) or (outcome.recorded[-1].frame if outcome.recorded else 0)
    first = min(frames, default=last) - _BEFORE
    last = min(last, first + _MOST_FRAMES)
    before = _lines(outcome.recorded, outcome, first, last)
    after = _lines(outcome.live, outcome, first, last)
    # Allowed differences would only be noise here.
    different = {difference.frame for difference in outcome.differences}
    as_recorded = {line.frame: line for line in before if line.frame not in different}
    after = [as_recorded.get(line.frame, line) for line in after]
    matcher = SequenceMatcher(None, [line.text for line in before], [line.text for line in after], autojunk=False)
    yield "--- recorded"
    yield "+++ replayed"
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        yield style.dim("@@")
        for tag, start, end, other_start, other_end in group:
            if tag == "equal":
                yield from (" " + _numbered(line) for line in before[start:end])
            else:
                yield from (style.bad("-" + _numbered(line)) for line in before[start:end])
                yield from (style.name("+" + _numbered(line)) for line in after[other_start:other_end])


def _numbered(line: _Line) -> str:
    return f"{line.frame:>6} {line.text}"


def _lines(records: Sequence[Record], outcome: Outcome, first: int, last: int) -> list[_Line]:
    transcript = Transcript(Style(False), times=False)
    session = Session(known=outcome.known, detect=True)
    lines = []
    for record in records:
        if record.frame > last:
            break
        event = session.feed(record)
        if record.frame >= first and event.message is not None:
            lines.append(_Line(record.frame, transcript.line(event)[_FRAME_WIDTH:]))
    return lines


# For programs


def outcome_json(outcome: Outcome, file: str) -> str:
    """One JSON object; keys are stable."""
    return json.dumps(
        {
            "file": unicode(file),
            "as": outcome.side.label,
            "ok": outcome.ok,
            "sent": outcome.sent,
            "received": outcome.received,
            "compared": outcome.compared,
            "unmatched": outcome.unmatched,
            "unplayed": outcome.unplayed,
            "differences": [_difference_object(difference) for difference in outcome.differences],
            "allowed": [
                {
                    "frame": item.frame,
                    "message": item.message,
                    "field": item.field,
                    "expected": _plain(item.expected),
                    "got": _plain(item.got),
                    "rule": item.rule,
                }
                for item in outcome.allowed
            ],
            "notes": outcome.remarks,
            "lag": round(outcome.lag, 6),
            "seconds": round(outcome.seconds, 6),
            "own_seconds": round(outcome.own_seconds, 6),
            "recorded_seconds": round(outcome.recorded_seconds, 6),
        }
    )


def _difference_object(difference: Difference) -> dict[str, Any]:
    return {
        "kind": difference.trouble.value,
        "connection": difference.connection,
        "channel": difference.channel.label,
        "frame": difference.frame,
        "message": difference.message,
        "field": difference.field,
        "expected": _plain(difference.expected),
        "got": _plain(difference.got),
    }


def _plain(value: Value) -> int | str | None:
    return value.hex() if isinstance(value, bytes) else value
