"""A summary on one screen: the verdict first, then what it rests on."""

import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from textwrap import wrap
from typing import NamedTuple

from vudissect.lint.groups import Group
from vudissect.lint.words import count_text
from vudissect.protocol.devices import feature_names
from vudissect.protocol.model import Channel
from vudissect.render.style import Style
from vudissect.render.units import duration_text, printable, size_text
from vudissect.render.values import position_text
from vudissect.session.rings import Ring, Started
from vudissect.session.state import Negotiation, State
from vudissect.summary.values import ConnectionSummary, Outcome, Peer, Summary
from vudissect.summary.words import end_text, missing_texts, next_command, stall_text, verdict_text

# A line less than a terminal has: the prompt follows.
_SCREEN = 23

_LABEL = 12
_MOST_FINDINGS = 3
_MOST_LINES = 3
_MOST_RINGS = 4
_MOST_CONNECTIONS = 3
_UNKNOWN = "unknown"
_SHORT = frozenset({"capture", "connections", "shown", "device", "rings", "end"})
_BAD = frozenset({Outcome.BROKEN, Outcome.RISKY, Outcome.INCOMPATIBLE, Outcome.EMPTY})


class Fact(NamedTuple):
    """A line, or a few: what it is about, and the text. Those of least weight are shortened first."""

    label: str
    text: str
    weight: int = 0


def summary_lines(summary: Summary, style: Style, width: int, *, short: bool = False) -> Iterator[str]:
    """At most a screen of lines. None is longer than `width`, except for the command to run next, which is not cut.

    `short` is for whoever has just seen the session: the answer and its end, without the facts that do not change.
    """
    top = [_wrapped(fact, width) for fact in _answer(summary)]
    bad = summary.verdict.outcome in _BAD
    for number, lines in enumerate(top):
        yield from _painted(lines, style, bad=bad and not number)
    yield ""
    facts = [fact for fact in summary_facts(summary) if not short or fact.label in _SHORT]
    for lines in _fitting(facts, _SCREEN - sum(map(len, top)) - 2, width):
        yield from _painted(lines, style)
    yield from _painted([f"{'next':<{_LABEL}}{printable(shlex.join(next_command(summary)))}"], style)


def _painted(lines: Sequence[str], style: Style, *, bad: bool = False) -> Iterator[str]:
    for line in lines:
        label, rest = line[:_LABEL], line[_LABEL:]
        yield (style.dim(label) if label.strip() else label) + (style.bad(rest) if bad else rest)


def _wrapped(fact: Fact, width: int, most: int = 0) -> list[str]:
    """The lines of a fact; if there are more than `most` (0: any number), the last one ends in `…`."""
    lines = wrap(fact.text, max(width - _LABEL, 20), break_on_hyphens=False, break_long_words=False) or [""]
    if most and len(lines) > most:
        lines = [*lines[: most - 1], f"{lines[most - 1].rsplit(' ', 1)[0]} …"]
    return [f"{fact.label if not number else '':<{_LABEL}}{line}" for number, line in enumerate(lines)]


def _fitting(facts: Sequence[Fact], room: int, width: int) -> list[list[str]]:
    """The lines of each fact, in at most so many lines: the least important are shortened first, then omitted."""
    lines = [_wrapped(fact, width, _MOST_LINES) for fact in facts]
    places = sorted(range(len(facts)), key=lambda place: facts[place].weight)
    for place in places:
        while sum(map(len, lines)) > room and len(lines[place]) > 1:
            lines[place] = _wrapped(facts[place], width, len(lines[place]) - 1)
    for place in places:
        if sum(map(len, lines)) > room:
            lines[place] = []
    return lines


def _answer(summary: Summary) -> Iterator[Fact]:
    verdict = summary.verdict
    yield Fact("verdict", printable(verdict_text(summary)))
    for text in missing_texts(summary.missing):
        yield Fact("unknown", printable(text))
    shown = verdict.groups[:_MOST_FINDINGS]
    for group in shown[1:]:
        yield Fact("also", printable(_group_text(group)))
    more = len(verdict.groups) - len(shown)
    if more > 0:
        yield Fact("", f"and {more} more: vudissect lint {printable(shlex.quote(summary.file))}".rstrip())
    if faults := summary.faults.text:
        yield Fact("faults", printable(faults))
    stalled = stall_text(summary)
    if stalled:
        yield Fact("stalled", printable(stalled))


def _group_text(group: Group) -> str:
    first = group.first
    place = f" #{first.frame}" if first.frame else ""
    again = f" (and {count_text(len(group.again), 'time')} more)" if group.again else ""
    return f"{first.severity.value} {first.rule}{place} {first.blame.value}: {first.message}{again}"


def summary_facts(summary: Summary) -> Iterator[Fact]:
    """All facts below the verdict, in full."""
    yield Fact("capture", _capture(summary), 7)
    shown = summary.shown
    if shown is None:
        return
    if summary.total > 1:
        yield Fact("connections", _connections(summary), 6)
        yield Fact("shown", printable(shown.state.label), 2)
    yield Fact("front-end", _peer(shown.front_end), 7)
    yield Fact("back-end", _peer(shown.back_end), 7)
    if shown.origin:
        yield Fact("seen in", printable(shown.origin), 8)
    yield Fact("device", _device(shown.state), 8)
    yield Fact("traffic", _traffic(shown), 2)
    yield from _features(shown.state)
    yield Fact("memory", _memory(shown.state), 6)
    yield Fact("rings", _rings(shown.state), 9)
    yield Fact("slowest", _slowest(shown), 3)
    yield Fact("end", printable(end_text(shown.end)), 9)


def _capture(summary: Summary) -> str:
    when = datetime.fromtimestamp(summary.started / 1e9, UTC) if summary.started else None
    recorded = f", recorded {when:%Y-%m-%d %H:%M} UTC" if when is not None else ""
    counts = f"{count_text(summary.messages, 'message')}, {count_text(summary.descriptors, 'descriptor')}"
    return f"{count_text(summary.total, 'connection')}, {counts}, {duration_text(summary.duration)}{recorded}"


def _connections(summary: Summary) -> str:
    last = summary.connections[-_MOST_CONNECTIONS:]
    texts = []
    for each in last:
        ended = f"closed by the {each.end.by}" if each.end.by else "open"
        device = f" ({printable(each.state.device_id)})" if each.state.device_id else ""
        texts.append(f"{each.number}{device} {ended} after {duration_text(each.duration)}")
    before = summary.total - len(last)
    return f"{f'{before} more; ' if before > 0 else ''}{'; '.join(texts)}"


def _peer(peer: Peer) -> str:
    text = printable(peer.name or _UNKNOWN)
    if peer.pid:
        text += f" (pid {peer.pid})"
    if peer.version:
        text += f", has the protocol of {peer.version} or newer"
    return text


def _device(state: State) -> str:
    words = [state.guess.words or f"type {_UNKNOWN}", f"dialect {state.protocol.key}"]
    if state.queues is not None:
        words.append(count_text(state.queues, "queue"))
    if state.memory_slots is not None:
        words.append(count_text(state.memory_slots, "memory slot"))
    return ", ".join(words)


def _traffic(connection: ConnectionSummary) -> str:
    texts = []
    for channel in Channel:
        sides = [each for each in connection.traffic if each.channel is channel]
        if sides:
            counts = ", ".join(f"{each.messages} from the {each.sender.label}" for each in sides)
            texts.append(f"{channel.label} {counts}")
    if connection.descriptors:
        texts.append(count_text(connection.descriptors, "descriptor"))
    return "; ".join(texts) or "none"


def _features(state: State) -> Iterator[Fact]:
    device, names = state.guess.device, state.protocol.protocol_features.names
    yield Fact("features", _acknowledged(state.features, feature_names(device, state.features.acked or 0)), 5)
    yield Fact("protocol", _acknowledged(state.protocol_features, names(state.protocol_features.acked or 0)), 4)
    unused = [
        *feature_names(device, _unused(state.features)),
        *names(_unused(state.protocol_features)),
    ]
    if unused:
        yield Fact("unused", f"offered, but not in effect: {' '.join(unused)}", 1)
    unoffered = [
        *feature_names(device, _unoffered(state.features)),
        *names(_unoffered(state.protocol_features)),
    ]
    if unoffered:
        yield Fact("not offered", f"but acknowledged: {' '.join(unoffered)}", 10)


def _acknowledged(word: Negotiation, names: Sequence[str]) -> str:
    if word.acked is not None:
        return " ".join(names) or "none"
    return "none acknowledged" if word.offered is not None else _UNKNOWN


def _unused(word: Negotiation) -> int:
    return (word.offered or 0) & ~(word.acked or 0)


def _unoffered(word: Negotiation) -> int:
    return (word.acked or 0) & ~word.offered if word.offered is not None else 0


def _memory(state: State) -> str:
    regions = state.memory.regions
    if not regions:
        return "none" if state.knows_memory else _UNKNOWN
    total = size_text(sum(region.size for region in regions))
    files = sorted({region.descriptor for region in regions if region.descriptor})
    text = f"{count_text(len(regions), 'region')}, {total}"
    if files:
        text += f" in {files[0]}" if len(files) == 1 else f" in {len(files)} files"
    if not state.knows_memory:
        text += ", and perhaps more"
    if state.log is not None:
        text += f"; log {size_text(state.log.size)}"
    return text + (f"; in-flight {size_text(state.inflight.size)}" if state.inflight is not None else "")


def _rings(state: State) -> str:
    rings = [state.rings[index] for index in sorted(state.rings)]
    if not rings:
        return "none was set up" if state.whole else _UNKNOWN
    counts = {"running": 0, "started, not enabled": 0, "stopped": 0}
    for ring in rings:
        counts[_ring_state(ring)] += 1
    if len(rings) > _MOST_RINGS:
        total = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        return f"{total}; {', '.join(_ring(ring, state) for ring in rings[:_MOST_RINGS])} …"
    return ", ".join(_ring(ring, state) for ring in rings)


def _ring_state(ring: Ring) -> str:
    if ring.running:
        return "running"
    return "started, not enabled" if ring.started is Started.STARTED else "stopped"


def _ring(ring: Ring, state: State) -> str:
    size = f" of {ring.size}" if ring.size is not None else ""
    what = _ring_state(ring)
    if what != "stopped":
        base = f" from {position_text(ring.base, state)}" if ring.base is not None else ""
        return f"{ring.index} {what}{base}{size}"
    if ring.stopped_at is not None:
        return f"{ring.index} stopped at {position_text(ring.stopped_at, state)}{size}"
    return f"{ring.index} {'stopped' if ring.stopped_in else 'not started'}"


def _slowest(connection: ConnectionSummary) -> str:
    return (
        ", ".join(
            f"{answer.name} {duration_text(answer.latency)} (#{answer.frame}{', late' if answer.late else ''})"
            for answer in connection.slowest
        )
        or "no answers"
    )
