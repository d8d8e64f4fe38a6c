"""`vudissect replay`: one side of a capture against a live peer."""

import signal
import sys
from contextlib import ExitStack
from typing import BinaryIO

import click

from vudissect.analysis import UpToTheCut
from vudissect.capture.reader import read_capture
from vudissect.cli.choices import OneOf
from vudissect.cli.colour import color_option, output_style
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE, files, messages
from vudissect.cli.devices import device_option
from vudissect.cli.errors import FINDINGS, clear_errors, fail, warn
from vudissect.cli.formats import chosen, format_options, write_junit
from vudissect.cli.lines import text_of
from vudissect.cli.numbers import LONGEST, Finite
from vudissect.cli.output import defer_output_errors, write
from vudissect.cli.progress import opened
from vudissect.cli.reading import complaints, conclude, verdict
from vudissect.compare.outcome import Outcome, Trouble
from vudissect.compare.policy import Override, Policy, PolicyError, allow, overrides_of_file
from vudissect.host.address import AddressError
from vudissect.host.limits import raise_descriptor_limit
from vudissect.host.output import beginning
from vudissect.protocol.model import Device, Side
from vudissect.render.format import Replayed
from vudissect.replay.connector import Connector, Dial, Listen
from vudissect.replay.player import Options, Player
from vudissect.replay.script import Script, script_of

_MOST_OBSTACLES = 10
_STDOUT, _STDERR = 1, 2
_SLOWEST = 0.001


@click.command(
    "replay",
    cls=Command,
    examples=[
        ("Compare a back-end with what it did", "vudissect replay boot.pcapng --as front-end --connect back.sock"),
        ("Be the back-end of the capture", "vudissect replay boot.pcapng --as back-end --listen front.sock"),
        (
            "Accept other features",
            "vudissect replay boot.pcapng --as front-end --connect b.sock \\\n      --allow GET_FEATURES.features",
        ),
    ],
)
@click.argument("file", type=FILE)
@click.option(
    "--as",
    "side",
    required=True,
    type=OneOf([Side.FRONT_END.label, Side.BACK_END.label]),
    help="The side to play.",
)
@click.option(
    "--connect",
    metavar="ADDRESS",
    shell_complete=files,
    help="Where the live peer listens: a path, @NAME or fd:NUMBER.",
)
@click.option(
    "--listen",
    metavar="ADDRESS",
    shell_complete=files,
    help="Where the live peer connects; any user can connect to an @NAME.",
)
@click.option(
    "--speed",
    metavar="FACTOR",
    type=Finite(0, 1000),
    default=0,
    help="0: as fast as answers come; 1: in real time; 2: twice as fast.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=Finite(0.001, LONGEST),
    default=10,
    help="How long to wait for each message, and for the peer to connect.",
)
@click.option(
    "--deadline",
    metavar="SECONDS",
    type=Finite(0.001, LONGEST),
    help="Time limit for the whole replay; the default suffices for any peer that answers (docs/replay.md).",
)
@click.option("--from", "first", metavar="FRAME", type=click.IntRange(1), default=1, help="Start with this frame.")
@click.option(
    "--to", "last", metavar="FRAME", type=click.IntRange(1), help="End with this frame (without it, the last)."
)
@click.option("--keep-going", is_flag=True, help="Continue after a difference.")
@click.option("--policy", "policy_file", type=FILE, metavar="FILE", help="How fields are compared (docs/replay.md).")
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    metavar="MESSAGE[.FIELD]",
    shell_complete=messages,
    help="Do not compare this field, or accept that this message is missing or not in the recording (repeatable).",
)
@device_option("The device type of the capture (blk, net, fs, ...), instead of a guess.")
@click.option("--incomplete", is_flag=True, help="Play a capture with missing parts as far as possible.")
@click.option("-w", "--write", "capture", type=FILE, metavar="FILE", help="Record the replayed session.")
@format_options(Replayed, json="The report as a JSON object.", junit="Also write a JUnit report.")
@color_option
def command(
    file: str,
    side: str,
    connect: str | None,
    listen: str | None,
    speed: float,
    timeout: float,
    deadline: float | None,
    first: int,
    last: int | None,
    keep_going: bool,
    policy_file: str | None,
    allowed: tuple[str, ...],
    device: Device | None,
    incomplete: bool,
    capture: str | None,
    form: str | None,
    as_json: bool,
    junit_file: str | None,
) -> None:
    """Play one side of the capture FILE against a live peer, and compare its messages with the recorded ones.

    Memory, eventfds and sockets are created again; rings exist and are empty. The exit status is 1 if something
    differed or was not played, and 2 if the replay could not start.
    """
    report = chosen(Replayed, form, as_json=as_json)
    if bool(connect) == bool(listen):
        fail("the live peer is required: use --connect ADDRESS or --listen ADDRESS")
    played = Side.FRONT_END if side == Side.FRONT_END.label else Side.BACK_END
    if 0 < speed < _SLOWEST:
        fail(f"--speed {speed}: use 0, or at least {_SLOWEST}")
    raise_descriptor_limit()
    # So that the listening socket is removed, as at any other exit.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    policy = _policy(policy_file, allowed)
    script, records = _script(file, played, first, last, device, incomplete=incomplete)
    with clear_errors(capture or file), ExitStack() as owned:
        try:
            connector: Connector = owned.enter_context(Listen.at(listen)) if listen else Dial.at(connect or "")
            if capture is None:
                player = Player(script, connector, policy, Options(speed, timeout, keep_going, None, deadline))
            else:
                with beginning(capture, text_on=(_STDOUT, _STDERR)) as fd:
                    output: BinaryIO = owned.enter_context(open(fd, "wb"))
                    player = Player(script, connector, policy, Options(speed, timeout, keep_going, output, deadline))
                    output.flush()
            outcome = player.play()
        except AddressError as error:
            fail(str(error))
    _never_met(outcome)
    outcome.remarks += complaints(records)
    result = Replayed(outcome, file, complaints(records), output_style())
    defer_output_errors()
    write(report.render(result))
    if junit_file is not None:
        write_junit(junit_file, result)
    if verdict(file, records) or not outcome.ok:
        raise SystemExit(FINDINGS)


def _policy(file: str | None, allowed: tuple[str, ...]) -> Policy:
    overrides: list[Override] = []
    try:
        if file is not None:
            overrides += overrides_of_file(text_of(file), file)
        overrides += [allow(name) for name in allowed]
    except PolicyError as error:
        fail(str(error))
    return Policy(overrides)


def _script(
    file: str, side: Side, first: int, last: int | None, device: Device | None, *, incomplete: bool
) -> tuple[Script, UpToTheCut]:
    with opened(file) as stream:
        records = UpToTheCut(read_capture(stream))
        script = script_of(records, side, first, last, device)
    if not records.has_messages:
        conclude(file, records)
    if not script.messages:
        fail(f"{file}: no messages to play" + (" in these frames" if first > 1 or last else ""))
    if script.obstacles and not incomplete:
        for obstacle in script.obstacles[:_MOST_OBSTACLES]:
            warn(f"{file}: {obstacle}")
        fail(f"{file}: not all of it can be played as it was ({len(script.obstacles)} messages); see --incomplete")
    return script, records


def _never_met(outcome: Outcome) -> None:
    if outcome.sent or outcome.received:
        return
    for difference in outcome.differences:
        if difference.trouble is Trouble.UNREACHED:
            fail(str(difference.got))
