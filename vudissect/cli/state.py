"""`vudissect state`: the state of the connections of a capture at one point."""

from typing import TYPE_CHECKING

import click

from vudissect.analysis import Analysis
from vudissect.capture.reader import read_capture
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE
from vudissect.cli.devices import device_option
from vudissect.cli.errors import fail
from vudissect.cli.filters import filter_option, narrowed, no_match
from vudissect.cli.formats import chosen, format_options
from vudissect.cli.output import write
from vudissect.cli.progress import opened
from vudissect.cli.reading import conclude
from vudissect.protocol.model import Device
from vudissect.render.format import ConnectionState, Stated

if TYPE_CHECKING:
    from vudissect.filter import Filter

_FRAME = click.IntRange(1)


@click.command(
    "state",
    cls=Command,
    examples=[
        ("What is waited for at the end", "vudissect state boot.pcapng"),
        ("What was known before frame 31", "vudissect state --before 31 boot.pcapng"),
        ("When ring 1 was started", "vudissect state --filter 'SET_VRING_KICK and ring=1' boot.pcapng"),
    ],
)
@click.argument("file", type=FILE)
@click.option("--at", "--after", "after", type=_FRAME, metavar="FRAME", help="After this frame (default: the last).")
@click.option("--before", type=_FRAME, metavar="FRAME", help="Before this frame.")
@device_option()
@filter_option("After the first frame that matches")
@format_options(Stated, json="One JSON object per connection.")
def command(
    file: str,
    after: int | None,
    before: int | None,
    device: Device | None,
    wanted: "Filter | None",
    form: str | None,
    as_json: bool,
) -> None:
    """Print the state of all connections that are open after the last frame of the capture FILE, or at another point.

    Features, memory map, rings (started and enabled, addresses, descriptors), migration, and unanswered requests.
    """
    output = chosen(Stated, form, as_json=as_json)
    if sum(point is not None for point in (after, before, wanted)) > 1:
        fail("--at (or --after), --before and --filter each select a point: use one of them")
    with opened(file) as stream:
        rules = None if wanted is not None and wanted.judges else ()
        analysis = Analysis(read_capture(stream), device=device, rules=rules)
        if wanted is not None:
            frame = _read_to_match(analysis, file, wanted)
        else:
            frame = _read_to_frame(analysis, file, after, before)
        session = analysis.session
        states = [
            ConnectionState(state, session.pairing(number), session.dialect(number))
            for number, state in session.states.items()
        ]
        write(output.render(Stated(file, frame, states)))
        analysis.skip()
        conclude(file, analysis.records)


def _read_to_frame(analysis: Analysis, file: str, after: int | None, before: int | None) -> int:
    """Read up to a point, and return the last frame; exit 2 if the capture does not have the frame."""
    frame = after if before is None else before
    reached = analysis.read_to(frame if before is None or frame is None else frame - 1)
    if frame is not None and reached != frame and analysis.at_end and analysis.records.has_messages:
        fail(f"{file}: no frame {frame}, the last one is {reached}")
    return reached


def _read_to_match(analysis: Analysis, file: str, wanted: "Filter") -> int:
    """Read up to the first frame that matches, and return it; exit 2 if there is none."""
    shown = narrowed(wanted, analysis)
    for event, _ in shown:
        return event.record.frame
    if analysis.records.has_messages:
        fail(f"{file}: {no_match(shown.wanted, shown.found)}")
    return 0
