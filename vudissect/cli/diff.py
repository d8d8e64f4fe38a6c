"""`vudissect diff`: what is different between two captures, or two connections of one."""

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from vudissect.analysis import Analysis, Judged
from vudissect.capture.reader import read_capture
from vudissect.cli.choices import OneOf
from vudissect.cli.colour import color_option, output_style
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE
from vudissect.cli.devices import device_option
from vudissect.cli.errors import FINDINGS, fail
from vudissect.cli.filters import filter_option, narrowed
from vudissect.cli.formats import chosen, format_options
from vudissect.cli.output import write
from vudissect.cli.progress import opened
from vudissect.cli.reading import verdict
from vudissect.compare.align import TooLongError
from vudissect.compare.captures import Part, by_connection, compare_captures
from vudissect.compare.distinction import Place
from vudissect.compare.exchange import Exchanges
from vudissect.protocol.model import Device
from vudissect.render.format import Differing, Option, Unknown
from vudissect.summary.collect import Collector
from vudissect.summary.words import missing_texts

if TYPE_CHECKING:
    from vudissect.filter import Filter

# They are kept in memory.
_MOST_EXCHANGES = 100_000

_KINDS = {
    "session": (Place.PROGRAM, Place.REST, Place.ENDING),
    "features": (Place.OFFERED, Place.ACKNOWLEDGED),
    "abilities": (Place.ABILITY,),
    "failures": (Place.FAILURE,),
    "messages": (Place.MESSAGE, Place.ORDER),
    "memory": (Place.MEMORY,),
    "rings": (Place.RING,),
    "values": (Place.CONTENT,),
    "flags": (Place.FLAG,),
    "descriptors": (Place.DESCRIPTOR,),
    "traffic": (Place.TRAFFIC,),
}


@click.command(
    "diff",
    cls=Command,
    examples=[
        ("What the broken run does otherwise, causes first", "vudissect diff good.pcapng bad.pcapng"),
        ("What the second connection of a capture does otherwise", "vudissect diff boot.pcapng@1 boot.pcapng@2"),
        ("Only features, as JSON", "vudissect diff --only features --json good.pcapng bad.pcapng"),
    ],
)
@click.argument("first", type=FILE, metavar="FILE[@CONNECTION]")
@click.argument("second", type=FILE, metavar="FILE[@CONNECTION]")
@format_options(Differing, json="One JSON object per difference.")
@click.option(
    "--since-first",
    "in_order",
    is_flag=True,
    help="Both transcripts, aligned, from the first difference on, instead of a list by cause.",
)
@click.option(
    "--only",
    "kinds",
    multiple=True,
    type=OneOf([*_KINDS]),
    metavar="KIND",
    help=f"Only differences of this kind (repeatable): {', '.join(_KINDS)}.",
)
@device_option()
@filter_option("Compare only messages that match")
@color_option
def command(
    first: str,
    second: str,
    form: str | None,
    as_json: bool,
    in_order: bool,
    kinds: tuple[str, ...],
    device: Device | None,
    wanted: "Filter | None",
) -> None:
    """Report what is different between two captures, causes before their consequences.

    FILE@2 is the second connection of a capture; otherwise the connections of both are compared in their order.
    Messages are aligned by what they mean; fields are compared as by vudissect replay: addresses by their place in
    memory, descriptors by identity, times and how far a guest got not at all.

    The exit status is 0 if there is no difference, 1 if there is one or a capture is cut off, and 2 if one cannot be
    read.
    """
    output = chosen(Differing, form, as_json=as_json, options=[Option.SINCE_FIRST] if in_order else [])
    if "-" == first == second:
        fail("-: standard input can be only one of the two captures")
    try:
        before, after = _read(first, device, wanted), _read(second, device, wanted)
        if wanted is not None and not before.connections and not after.connections:
            fail(f"nothing matches {wanted.text} in either capture")
        parts = _only(compare_captures(before.connections, after.connections), kinds)
    except TooLongError as error:
        fail(f"{error}, too many to be aligned: compare a part with --filter, or a connection with FILE@NUMBER")
    unknown = [*before.unknown, *after.unknown]
    write(output.render(Differing(parts, (first, second), unknown, output_style(), in_order)))
    different = FINDINGS if any(part.compared.distinctions for part in parts) else 0
    status = max(before.status, after.status, different)
    if status:
        raise SystemExit(status)


class _Read(NamedTuple):
    """The connections of a capture, what it does not have, and the exit status for it."""

    connections: list[Exchanges]
    unknown: list[Unknown]
    status: int


def _read(name: str, device: Device | None, wanted: "Filter | None") -> _Read:
    """A capture, or one of its connections, as far as a filter matches."""
    file, connection = _split(name)
    collector = Collector()
    rules = None if wanted is not None and wanted.judges else ()
    with opened(file) as stream:
        analysis = Analysis(read_capture(stream), device=device, rules=rules)
        watched = collector.watch(analysis)
        judged: Iterable[Judged] = watched if wanted is None else narrowed(wanted, watched)
        selected = (event for event, _ in judged if connection in (None, event.record.connection))
        connections = by_connection(selected, _MOST_EXCHANGES)
    status = verdict(file, analysis.records)
    if status > FINDINGS:
        raise SystemExit(status)
    if connection is not None and not connections and wanted is None:
        fail(f"{file}: there is no connection {connection}")
    cut = str(analysis.records.truncated) if analysis.records.truncated is not None else ""
    missing = collector.finish(analysis.session, analysis.finish(), file, cut=cut).missing
    return _Read(connections, [Unknown(file, text) for text in missing_texts(missing)], status)


def _split(name: str) -> tuple[str, int | None]:
    """The file and the number of the connection in `FILE@NUMBER`; a file of this whole name takes precedence."""
    file, at, number = name.rpartition("@")
    if not at or not number.isdecimal() or os.path.exists(name):
        return name, None
    return file, int(number)


def _only(parts: Sequence[Part], kinds: Sequence[str]) -> list[Part]:
    """The parts with the differences of these kinds; of any kind if there are none."""
    if not kinds:
        return list(parts)
    places = {place for kind in kinds for place in _KINDS[kind]}
    return [part.narrowed(places) for part in parts]
