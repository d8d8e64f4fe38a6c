"""How long what took, as text: the phases of each connection, answers with a histogram, reconnects and migrations."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from vudissect.lint.words import count_text
from vudissect.render.format import Timed
from vudissect.render.style import Style
from vudissect.render.units import duration_text, printable
from vudissect.timing.values import ConnectionTimes, Latencies, Migration, Times

_BARS = " ▁▂▃▄▅▆▇█"
# Over the columns of a histogram, which are half decades: 1 us, 100 us, 10 ms, 1 s.
_SCALE = " 1u  .1m 10m 1s"
_NAME, _COUNT, _TIME = 21, 6, 8


def times_lines(timed: Timed) -> Iterator[str]:
    """The lines of all captures, then migrations between them."""
    for times in timed.captures:
        if len(timed.captures) > 1:
            yield f"{printable(times.file)}:"
        for text in times.unknown:
            yield timed.style.bad(f"unknown: {printable(text)}")
        for connection in times.connections:
            yield from _connection(connection, timed.style)
        if times.total > len(times.connections):
            yield f"{times.total - len(times.connections)} more connections are not listed"
        yield from _reconnects(times)
    for migration in timed.migrations:
        yield from _migration(migration, timed.style)


def _connection(times: ConnectionTimes, style: Style) -> Iterator[str]:
    who = " and ".join(printable(name) for name in times.names if name)
    device = f" ({times.device.name})" if times.device is not None else ""
    yield style.name(f"{printable(times.label)}{f': {who}' if who else ''}{device}")
    yield style.dim(f"  {'phase':<{_NAME}}{'time':>{_TIME}}  waiting for the back-end  front-end  frames")
    for phase in times.phases:
        span, (front_end, back_end) = phase.span, phase.waits
        waits = f"{_wait(back_end):>25}{_wait(front_end):>11}"
        yield f"  {span.name:<{_NAME}}{duration_text(span.duration):>{_TIME}}{waits}  #{span.first}-#{span.last}"
    if times.more_phases:
        yield f"  {times.more_phases} more phases"
    if times.open_end:
        yield "  it is open where the capture ends: the last phase may be longer"
    for (side, channel), group in groupby(
        sorted(times.latencies, key=lambda each: (each.channel, each.sender)), lambda each: (each.sender, each.channel)
    ):
        yield from _answers(f"answers of the {side.label}, {channel.label} channel", [*group], style)


def _wait(duration: int) -> str:
    return duration_text(duration) if duration else "-"


def _answers(title: str, latencies: Sequence[Latencies], style: Style) -> Iterator[str]:
    columns = "".join(f"{name:>{_TIME}}" for name in ("p50", "p90", "p99", "max"))
    yield style.dim(f"  {title}")
    yield style.dim(f"  {'':<{_NAME}}{'count':>{_COUNT}}{columns} {_SCALE}")
    for each in latencies:
        numbers = "".join(f"{duration_text(time):>{_TIME}}" for time in (each.p50, each.p90, each.p99, each.most))
        bars = histogram(each.histogram)
        yield f"  {each.name:<{_NAME}}{each.answers:>{_COUNT}}{numbers} {bars}".rstrip()


def histogram(counts: Sequence[int]) -> str:
    """A bar per number, the largest the highest; every number that is not 0 can be seen."""
    most = max(counts)
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // most)] for count in counts)


def _reconnects(times: Times) -> Iterator[str]:
    for each in times.reconnects:
        back = f"a ring runs again after {duration_text(each.back)}" if each.back is not None else "no ring ran again"
        yield (
            f"reconnect (#{each.frame}): connection {each.after} came {duration_text(each.apart)} after the end of "
            f"connection {each.before}; {back}"
        )


def _migration(migration: Migration, style: Style) -> Iterator[str]:
    (file, number), destination = migration.source, migration.destination
    yield style.name(f"migration from {printable(file)}, connection {number}")
    if destination is not None:
        yield style.name(f"            to {printable(destination[0])}, connection {destination[1]}")
    for part in migration.parts:
        where = "source" if part.at_source else "destination"
        down = "  down" if part.down else ""
        frames = f"#{part.span.first}"
        yield f"  {where:<13}{part.span.name:<30}{duration_text(part.span.duration):>{_TIME}}  {frames}{down}"
    total = f"{duration_text(migration.duration)} in {count_text(len(migration.parts), 'part')}"
    if destination is None:
        yield f"  {total}; the rest is not known: no capture has its destination"
    else:
        yield f"  {total}, of which no ring ran for {duration_text(migration.downtime)}"
