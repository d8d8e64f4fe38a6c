"""What is different between two captures, as text like a unified diff: causes first."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vudissect.compare.captures import Part
from vudissect.compare.distinction import Distinction, Place, What
from vudissect.compare.outcome import Value
from vudissect.lint.words import count_text, frames_text
from vudissect.protocol.devices import feature_names
from vudissect.protocol.model import Meaning
from vudissect.render.config import decode_config
from vudissect.render.diff_transcript import aligned_transcripts
from vudissect.render.features import offered_text
from vudissect.render.format import About
from vudissect.render.style import Style
from vudissect.render.units import hex_text, printable, size_text

_MOST_BYTES = 24
_MOST_FRAMES = 3
_DECIMAL_BELOW = 4096


def diff_lines(
    parts: Sequence[Part], files: tuple[str, str], about: Sequence[About], style: Style, *, in_order: bool
) -> Iterator[str]:
    """The differences of each pair of connections; with `in_order` both transcripts from the first difference on.

    `about` is what the captures do not have, and the faults that were injected in them; it comes first.
    """
    for each in about:
        text = f"{'faults' if each.injected else 'unknown'}: {printable(each.file)}: {printable(each.text)}"
        yield text if each.injected else style.bad(text)
    for part in parts:
        if not part.compared.distinctions:
            continue
        for mark, text in zip(("---", "+++"), titles(part, files), strict=True):
            yield style.dim(f"{mark} {text}")
        if in_order:
            yield from aligned_transcripts(part.compared, style)
        else:
            for distinction in part.compared.distinctions:
                yield from _hunk(distinction, style)
    yield total_text(parts, limited=is_limited(about))


def is_limited(about: Sequence[About]) -> bool:
    """Whether a capture does not have everything."""
    return any(not each.injected for each in about)


def total_text(parts: Sequence[Part], *, limited: bool) -> str:
    """How many differences there are; `limited` if something in a capture is not known."""
    total = sum(len(part.compared.distinctions) for part in parts)
    causes = sum(not each.because for part in parts for each in part.compared.distinctions)
    followed = f", {total - causes} of which follow{'s' * (total - causes == 1)} from others" if total > causes else ""
    limit = " in what both captures have" if limited and not total else ""
    return f"{count_text(total, 'difference')}{followed}" if total else f"no differences{limit}"


def titles(part: Part, files: tuple[str, str]) -> list[str]:
    """The connections of both captures: the file, the number with the id of its device, and the programs."""
    texts = []
    for file, number, programs, device in zip(
        files, (part.first, part.second), part.programs, part.devices, strict=True
    ):
        who = " and ".join(printable(program) for program in programs if program)
        name = f"connection {number}{f' ({printable(device)})' if device else ''}" if number else "no such connection"
        texts.append(f"{printable(file)}, {name}{f': {who}' if who else ''}")
    return texts


def _hunk(distinction: Distinction, style: Style) -> Iterator[str]:
    because = f" (follows from {distinction.because})" if distinction.because else ""
    yield style.name(f"@@ {distinction.number}. {heading(distinction)}{because}") + style.dim(places(distinction))
    before, after = sides(distinction)
    if before:
        yield style.bad(f"- {before}")
    if after:
        yield style.reply(f"+ {after}")


def heading(distinction: Distinction) -> str:
    """What the difference is about: `SET_VRING_NUM rings 0 and 1, num`."""
    rings = ""
    if distinction.rings:
        named = " and ".join(", ".join(map(str, distinction.rings)).rsplit(", ", 1))
        rings = f" ring{'s' * (len(distinction.rings) > 1)} {named}"
    words = f"{', '.join(distinction.messages)}{rings}".lstrip()
    return f"{words}, {distinction.field}" if words and distinction.field else words or distinction.field


def places(distinction: Distinction) -> str:
    """The frames in both captures."""
    texts = [_few(frames) for frames in (distinction.frames, distinction.other_frames) if frames]
    return f" [{' | '.join(texts)}]" if texts else ""


def _few(frames: Sequence[int]) -> str:
    return frames_text(frames) if len(frames) <= _MOST_FRAMES else f"#{frames[0]} and {len(frames) - 1} more"


def sides(distinction: Distinction) -> tuple[str, str]:
    """What the first and the second session have; "" for nothing."""
    before, after, what = distinction.before, distinction.after, distinction.what
    if what in (What.MISSING, What.ADDED, What.TIMES):
        return _presence(distinction, before, what is not What.ADDED), _presence(
            distinction, after, what is not What.MISSING
        )
    if what is What.MOVED:
        return "", "in another order"
    named = _named(distinction)
    if named is not None:
        return named
    return _value(distinction, before), _value(distinction, after)


def _named(distinction: Distinction) -> tuple[str, str] | None:
    """The bits that only one side has, or the fields of a configuration space that differ; None without names."""
    before, after, kind, device = distinction.before, distinction.after, distinction.kind, distinction.device
    if kind is None:
        return None
    if isinstance(before, int) and isinstance(after, int):
        lone = (before & ~after, after & ~before)
        if kind.meaning is Meaning.VIRTIO_FEATURES:
            return _lone(feature_names(device, lone[0])), _lone(feature_names(device, lone[1]))
        return (_lone(kind.bits.names(lone[0])), _lone(kind.bits.names(lone[1]))) if kind.bits is not None else None
    if kind.meaning is not Meaning.CONFIG or device is None:
        return None
    if not isinstance(before, bytes) or not isinstance(after, bytes):
        return None
    ours, theirs = (decode_config(device, each, distinction.offset).fields for each in (before, after))
    changed = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    return (_config(ours, changed), _config(theirs, changed)) if changed else None


def _config(fields: Mapping[str, Any], names: Sequence[str]) -> str:
    return " ".join(f"{name} {printable(str(fields.get(name, 'absent')))}" for name in names)


def _lone(names: tuple[str, ...]) -> str:
    return offered_text(names) if names else ""


def _presence(distinction: Distinction, count: Value, present: bool) -> str:
    """Whether a message was sent, or answered, or a connection made; and how often, if that is not chance."""
    if not distinction.messages:
        return "present" if present else "missing"
    if count is None:
        return "answered" if present else "not answered"
    if not present:
        return "never sent"
    if distinction.place is Place.TRAFFIC or not isinstance(count, int):
        return "sent"
    return "sent once" if count == 1 else f"sent {count} times"


def _value(distinction: Distinction, value: Value) -> str:
    kind = distinction.kind
    if isinstance(value, bytes):
        return hex_text(value, _MOST_BYTES)
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, int):
        if kind is not None and value in kind.choices:
            return f"{value} ({kind.choices[value]})"
        if kind is not None and kind.meaning in (Meaning.SIZE, Meaning.GUEST_ADDRESS):
            return size_text(value)
        return str(value) if abs(value) < _DECIMAL_BELOW else f"{value:#x}"
    return "unknown"
