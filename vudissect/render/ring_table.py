"""The rings over time as a table, and as they are now: what `vudissect rings` prints.

ring 0 of connection 1 (blk request), size 128
   frame     seconds  avail   used  pending                   kick  call
      16    0.015000     35     34        1 #                    1     0
      17    2.016000     35     34        1 #                    1     0
                     request 34: write sector 2048, 8 sectors, waiting for 2.000s
                     it is the turn of the back-end: its kick is unread
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from vudissect.capture.observation import Observation, observation_of
from vudissect.capture.record import RecordKind
from vudissect.protocol.devices import queue_name
from vudissect.render.style import Style
from vudissect.render.units import duration_text, printable
from vudissect.render.wrap import wrapped
from vudissect.rings.places import WRAP
from vudissect.session.event import Event
from vudissect.session.phases import Phase
from vudissect.session.stalls import Stall, stall_in
from vudissect.session.state import State

_SECOND = 1_000_000_000
_BAR = 16
_HEADING = f"{'frame':>8} {'seconds':>11} {'avail':>6} {'used':>6} {'pending':>8} {'':{_BAR}} {'kick':>5} {'call':>5}"
_REMARK = " " * 21


class Sample(NamedTuple):
    """What was seen in a ring, in a frame, `nanoseconds` after the first record."""

    frame: int
    nanoseconds: int
    state: State
    seen: Observation

    @property
    def ring(self) -> tuple[int, int]:
        """Connection and index."""
        return self.state.number, self.seen.ring

    @property
    def stall(self) -> Stall | None:
        """What does not go on in the ring."""
        ring = self.state.rings.get(self.seen.ring)
        return stall_in(self.state, replace(ring, seen=self.seen)) if ring is not None else None


def sample_of(event: Event) -> Sample | None:
    """What was seen in a ring, if that is what the event is about."""
    record = event.record
    seen = observation_of(record.details) if record.kind is RecordKind.RING_OBSERVED else None
    return Sample(record.frame, event.elapsed, event.after, seen) if seen is not None else None


def history_lines(samples: Iterable[Sample], style: Style) -> Iterator[str]:
    """A table for each ring, with a row for each sample."""
    rings: dict[tuple[int, int], list[Sample]] = {}
    for sample in samples:
        rings.setdefault(sample.ring, []).append(sample)
    for number, (_, history) in enumerate(sorted(rings.items())):
        if number:
            yield ""
        yield ring_title(history[-1])
        yield style.dim(_HEADING)
        for sample in history:
            yield from sample_lines(sample, style)


def current_lines(latest: Iterable[Sample], style: Style) -> Iterator[str]:
    """The rings as they were last seen, those that stall first."""
    yield style.dim(_HEADING)
    for sample in sorted(latest, key=lambda sample: (sample.stall is None, sample.ring)):
        yield ring_title(sample)
        yield from sample_lines(sample, style)


def sample_lines(sample: Sample, style: Style) -> Iterator[str]:
    """A row of the table, and below it what numbers do not say."""
    seen = sample.seen
    numbers = [_number(value) for value in (seen.avail, seen.used, seen.pending, seen.kick, seen.call)]
    avail, used, pending, kick, call = numbers
    if seen.avail is not None and seen.is_packed:
        avail = f"{seen.avail & ~WRAP} w{seen.avail >> 15}"
    place = style.dim(f"{sample.frame:>8} {sample.nanoseconds / _SECOND:>11.6f}")
    yield f"{place} {avail:>6} {used:>6} {pending:>8} {_bar(sample):{_BAR}} {kick:>5} {call:>5}"
    for remark, is_bad in _remarks(seen, sample.stall):
        yield wrapped(_REMARK + (style.bad(remark) if is_bad else style.dim(remark)), style.width, len(_REMARK) + 2)


def ring_title(sample: Sample) -> str:
    """`ring 0 of connection 1 (blk request), size 128`."""
    state, ring = sample.state, sample.state.rings.get(sample.seen.ring)
    device = state.guess.device
    name = queue_name(device, sample.seen.ring, len(state.rings)).rstrip("*") if device is not None else ""
    what = f" ({device.name}{f' {name}' if name else ''})" if device is not None else ""
    size = f", size {ring.size}" if ring is not None and ring.size is not None else ""
    closed = ", closed" if state.phase is Phase.CLOSED else ""
    return f"ring {sample.seen.ring} of {printable(state.label)}{what}{size}{closed}"


def _bar(sample: Sample) -> str:
    """How full the ring is; a single pending request can be seen."""
    ring = sample.state.rings.get(sample.seen.ring)
    pending = sample.seen.pending
    if not pending or ring is None or not ring.size:
        return ""
    return "#" * max(1, min(_BAR, pending * _BAR // ring.size))


def _remarks(seen: Observation, stall: Stall | None) -> Iterator[tuple[str, bool]]:
    """What is to be said about a sample, and whether it is bad."""
    waited = f"waiting for {duration_text(seen.waited)}" if seen.waited else ""
    if seen.request or waited:
        yield ", ".join(filter(None, (printable(seen.request), waited))), bool(waited)
    if seen.kick_unread:
        yield f"the kick has been unread for {duration_text(seen.kick_unread)}", not seen.no_kicks
    if seen.call_unread:
        yield f"the call has been unread for {duration_text(seen.call_unread)}", bool(seen.unnoticed)
    if seen.unnoticed:
        yield f"the driver has not noticed a completion for {duration_text(seen.unnoticed)}", True
    if seen.left_over:
        yield f"left over in the in-flight memory for {duration_text(seen.left_over)}: {seen.in_flight}", True
    if stall is not None:
        yield f"it is the turn of the {stall.holder.value}: {stall.why}", True
    else:
        for is_so, side in ((seen.back_end_stopped, "back-end"), (seen.front_end_stopped, "front-end")):
            if is_so:
                yield f"the process of the {side} is stopped", True
    for is_so, text in ((seen.no_kicks, "the device wants no kicks"), (seen.no_calls, "the driver wants no calls")):
        if is_so:
            yield text, False
    for problem in filter(None, (seen.fault, seen.unreadable)):
        yield printable(problem), True


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)
