"""`vudissect diff`: what is different between two captures, or two connections of one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from vudissect.cli.choices import OneOf
from vudissect.cli.colour import color_option, output_style
from vudissect.cli.command import Command
from vudissect.cli.comparing import compare_files
from vudissect.cli.completion import FILE
from vudissect.cli.devices import device_option
from vudissect.cli.errors import FINDINGS
from vudissect.cli.filters import filter_option
from vudissect.cli.formats import chosen, format_options
from vudissect.cli.output import write
from vudissect.compare.captures import Part
from vudissect.compare.distinction import Place
from vudissect.protocol.model import Device
from vudissect.render.format import Differing, Option

if TYPE_CHECKING:
    from vudissect.filter import Filter

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
    both = compare_files(first, second, device, wanted)
    parts = _only(both.parts, kinds)
    write(output.render(Differing(parts, (first, second), both.about, output_style(), in_order)))
    different = FINDINGS if any(part.compared.distinctions for part in parts) else 0
    status = max(both.status, different)
    if status:
        raise SystemExit(status)


def _only(parts: Sequence[Part], kinds: Sequence[str]) -> list[Part]:
    """The parts with the differences of these kinds; of any kind if there are none."""
    if not kinds:
        return list(parts)
    places = {place for kind in kinds for place in _KINDS[kind]}
    return [part.narrowed(places) for part in parts]
