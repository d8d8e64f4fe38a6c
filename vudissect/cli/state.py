"""`vudissect state`: what is known of the connections of a capture at one frame."""

import click

from vudissect.analysis import Analysis
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.cli.errors import clear_errors, fail
from vudissect.cli.output import say
from vudissect.cli.reading import conclude
from vudissect.render.dialects import verdict_lines
from vudissect.render.state import state_lines


@click.command("state")
@click.argument("file")
@click.option(
    "--at", "frame", type=click.IntRange(1), metavar="FRAME", help="Up to and with this frame; else the last."
)
def command(file: str, frame: int | None) -> None:
    """Print the state of all connections of the capture FILE that are open at a frame.

    Features, memory map, rings (started and enabled, addresses, descriptors), migration, and what waits for an answer.
    """
    with clear_errors(file), open_capture(file) as stream:
        analysis = Analysis(read_capture(stream), rules=())
        last, session = analysis.read_to(frame), analysis.session
        if frame is not None and last < frame and analysis.records.has_messages:
            fail(f"{file} has {last} frames, there is no frame {frame}")
        if not session.states:
            say(f"no connection is open at frame {last}")
        for number, state in session.states.items():
            for line in state_lines(state, session.pairing(number)):
                say(line)
            verdict = session.dialect(number)
            for line in verdict_lines(verdict) if verdict is not None else ():
                say(f"  {line}")
        analysis.skip()
        conclude(file, analysis.records)
