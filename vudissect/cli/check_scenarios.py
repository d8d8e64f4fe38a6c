"""`vudissect check --scenario`: faults between two programs, and whether the next session works."""

import shlex
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from vudissect.check.apart import Calling, Served
from vudissect.check.link import Clock
from vudissect.check.program import ProgramError
from vudissect.cli.check_pages import make_folder
from vudissect.cli.check_programs import PATIENCE
from vudissect.cli.check_scenario_views import Played, json_text, list_lines, set_up_line, summary, title, tried_lines
from vudissect.cli.colour import color_option, output_style
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE
from vudissect.cli.errors import CANNOT, FINDINGS, clear_errors, fail, warn
from vudissect.cli.faults import faults_in
from vudissect.cli.interruption import exit_on_signals, ignore_signals
from vudissect.cli.numbers import Finite
from vudissect.cli.output import say
from vudissect.host.address import AddressError
from vudissect.host.limits import raise_descriptor_limit
from vudissect.scenario.model import SCENARIOS, Outcome, Scenario, Step, Tried, from_lines
from vudissect.scenario.runner import Runner

_OPTION = "--scenario"
_ALL = "all"
_SOCKET = "{socket}"


def is_scenario(args: Sequence[str]) -> bool:
    """Whether these arguments of `check` are for this command."""
    ours = args[: args.index("--")] if "--" in args else args
    return any(word == _OPTION or word.startswith(f"{_OPTION}=") for word in ours)


@click.command(
    "check",
    cls=Command,
    examples=[
        (
            "Kill either side at each message",
            "vudissect check --scenario all --with 'vmm -d={socket}' -- disk -s={socket}",
        ),
        (
            "Your own faults, one a line",
            "vudissect check --scenario mine --with 'vmm -d={socket}' -- disk -s={socket}",
        ),
        ("The names of the scenarios", "vudissect check --scenario all --list"),
    ],
)
@click.argument("program", type=FILE, nargs=-1, metavar="-- COMMAND ...")
@click.option(
    _OPTION,
    "names",
    metavar="NAME|FILE",
    multiple=True,
    required=True,
    type=FILE,
    help="A scenario, all of them (all), or a file with faults (docs/faults.md); repeatable.",
)
@click.option("--with", "front_end", metavar="COMMAND", help="How to start the front-end, as one word.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=Finite(0.01, 3600),
    default=PATIENCE,
    help="How long rings may take until they run again.",
)
@click.option("--json", "json_file", type=FILE, metavar="FILE", help="Write the results as JSON.")
@click.option("--captures", type=FILE, metavar="FOLDER", help="Write what happened there, a capture for each run.")
@click.option("--list", "list_only", is_flag=True, help="List the scenarios; nothing is started.")
@color_option
def scenarios(
    program: tuple[str, ...],
    names: tuple[str, ...],
    front_end: str | None,
    timeout: float,
    json_file: str | None,
    captures: str | None,
    list_only: bool,
) -> None:
    """Inject faults between a front-end and a back-end, and see whether the next session works.

    COMMAND starts the back-end, the command of --with the front-end. Write {socket} in both where they want the path of
    the socket: the back-end listens there, the front-end connects. A first run without a fault shows the messages of
    the set-up. Each other run has its fault at one of them. A side that has ended is started again. Exit status: 0 if
    rings run again after each fault, 1 if not, 2 if that cannot be tried.
    """
    wanted = [scenario for name in names for scenario in _scenarios(name)]
    if list_only:
        for line in list_lines(wanted):
            say(line)
        return
    back_words, front_words = _words(program, front_end)
    raise_descriptor_limit()
    exit_on_signals()
    if captures is not None:
        make_folder(captures)
    played: list[Played] = []
    steps, ended = _run(wanted, (front_words, back_words), timeout, captures, played)
    if json_file is not None:
        text = json_text(steps, played, has_captures=captures is not None, complete=not ended)
        with clear_errors(json_file):
            Path(json_file).write_text(text)
    works = all(each.outcome is Outcome.WORKS for _, tried in played for each in tried)
    raise SystemExit(ended or (0 if works else FINDINGS))


def _run(
    wanted: Sequence[Scenario],
    commands: tuple[list[str], list[str]],
    timeout: float,
    captures: str | None,
    played: list[Played],
) -> tuple[Sequence[Step], int]:
    """Add to `played`; the messages of the set-up, and an exit status where it was not possible to come to the end."""
    steps: Sequence[Step] = ()
    ended = 0
    with ExitStack() as owned:
        try:
            folder = owned.enter_context(tempfile.TemporaryDirectory(prefix="vudissect-check-"))
            front_end, back_end = Calling(commands[0], PATIENCE, Clock()), Served(commands[1], PATIENCE, Clock())
            owned.callback(back_end.close)
            owned.callback(front_end.close)
            owned.callback(ignore_signals)
            front_end.where = str(Path(folder) / "front.sock")
            runner = Runner(front_end, back_end, timeout, Path(captures or folder), warn)
            runner.discover()
            steps = runner.steps
            _play(runner, wanted, played)
        except (ProgramError, AddressError) as error:
            warn(str(error))
            ended = CANNOT
        except OSError as error:
            warn(f"{error.filename or captures}: {error.strerror}")
            ended = CANNOT
        except SystemExit as end:
            ended = int(end.code or 0)
    if played:
        say("")
    for each in played:
        say(summary(each))
    return steps, ended


def _play(runner: Runner, wanted: Sequence[Scenario], played: list[Played]) -> None:
    """Print each run when it is over."""
    style = output_style()
    say(set_up_line(runner.steps))
    for scenario in wanted:
        say(title(scenario))
        tried: list[Tried] = []
        played.append(Played(scenario, tried))
        for each in runner.runs(scenario):
            tried.append(each)
            for line in tried_lines(each, style):
                say(line)
            sys.stdout.flush()


def _scenarios(name: str) -> Sequence[Scenario]:
    if name == _ALL:
        return SCENARIOS
    found = [scenario for scenario in SCENARIOS if scenario.name == name]
    if found:
        return found
    if not Path(name).exists():
        known = ", ".join(scenario.name for scenario in SCENARIOS)
        fail(f"{name}: neither a scenario nor a file; the scenarios are {known}, {_ALL}")
    return [from_lines(Path(name).stem, [fault.text for fault in faults_in(name)])]


def _words(program: tuple[str, ...], front_end: str | None) -> tuple[list[str], list[str]]:
    """The commands of the back-end and of the front-end; exit 2 if one is not usable."""
    if not program:
        fail("say how to start the back-end, after --")
    if not front_end:
        fail("say how to start the front-end: --with 'COMMAND {socket}'")
    try:
        words = shlex.split(front_end)
    except ValueError as error:
        fail(f"--with {front_end}: {str(error).lower()}")
    for side, command in (("back-end", program), ("front-end", words)):
        if not any(_SOCKET in word for word in command):
            fail(f"the command of the {side} names no socket: write {_SOCKET} where it wants its path")
    return list(program), words
