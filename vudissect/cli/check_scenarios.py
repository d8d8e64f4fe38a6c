"""`vudissect check --scenario`: faults between two programs, and whether the next session works."""

import os
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from vudissect.check.apart import Calling, Connected, Served
from vudissect.check.link import Clock
from vudissect.check.program import ProgramError
from vudissect.cli.check_pages import make_folder, write_pages
from vudissect.cli.check_programs import FD, PATIENCE, no_place, place_of
from vudissect.cli.check_scenario_views import (
    ScenarioRun,
    json_text,
    junit_text,
    list_lines,
    set_up_line,
    shown,
    summary,
    title,
    tried_lines,
)
from vudissect.cli.colour import color_option, output_style
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE
from vudissect.cli.errors import CANNOT, FINDINGS, clear_errors, fail, warn
from vudissect.cli.faults import faults_in
from vudissect.cli.interruption import exit_on_signals, ignore_signals
from vudissect.cli.numbers import Finite
from vudissect.cli.output import defer_output_errors, say
from vudissect.host.address import AddressError
from vudissect.host.limits import raise_descriptor_limit
from vudissect.protocol.model import Side
from vudissect.scenario.model import SCENARIOS, Outcome, Scenario, from_lines
from vudissect.scenario.pages import Shown, scenario_site
from vudissect.scenario.runner import Runner

_OPTION = "--scenario"
_ALL = "all"


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
@click.option("--client", is_flag=True, help="The back-end connects to {socket}.")
@click.option("--server", is_flag=True, help="The front-end listens at {socket}.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=Finite(0.01, 3600),
    default=PATIENCE,
    help="How long rings may take until they run again.",
)
@click.option("--json", "json_file", type=FILE, metavar="FILE", help="Write the results as JSON.")
@click.option("--junit", "junit_file", type=FILE, metavar="FILE", help="Write a JUnit report.")
@click.option("--captures", type=FILE, metavar="FOLDER", help="Write what happened there, a capture for each run.")
@click.option("--html", type=FILE, metavar="FOLDER", help="Write pages there: a matrix, and a page for each run.")
@click.option("--list", "list_only", is_flag=True, help="List the scenarios; nothing is started.")
@color_option
def scenarios(
    program: tuple[str, ...],
    names: tuple[str, ...],
    front_end: str | None,
    client: bool,
    server: bool,
    timeout: float,
    json_file: str | None,
    junit_file: str | None,
    captures: str | None,
    html: str | None,
    list_only: bool,
) -> None:
    """Inject faults between a front-end and a back-end, and see whether the next session works.

    COMMAND starts the back-end, the command of --with the front-end. Write {socket} in both where they want the path of
    the socket: the back-end listens there, the front-end connects. One that wants a connected socket as a descriptor
    gets its number for {fd}. A first run without a fault shows the messages of
    the set-up. Each other run has its fault at one of them. A side that has ended is started again. Exit status: 0 if
    rings run again after each fault, 1 if not, 2 if that cannot be tried.
    """
    wanted = _wanted(names)
    if list_only:
        for line in list_lines(wanted):
            say(line)
        return
    words = _words(program, front_end)
    raise_descriptor_limit()
    exit_on_signals()
    defer_output_errors()
    for folder in (captures, html):
        if folder is not None:
            make_folder(folder)
    options = [*(["--client"] if client else []), *(["--server"] if server else [])]
    run = ScenarioRun(words, options, datetime.now(UTC).isoformat(timespec="seconds"))
    start = time.monotonic()
    ended = _run(wanted, (_kind(words[0], server), _kind(words[1], not client)), timeout, captures, run)
    run.seconds, run.complete = time.monotonic() - start, not ended
    if json_file is not None:
        _write(json_file, json_text(run, has_captures=captures is not None).encode())
    if html is not None:
        write_pages(html, scenario_site(run.results(None if captures is None else os.path.relpath(captures, html))))
    if junit_file is not None:
        _write(junit_file, junit_text(run))
    works = all(shown.tried.outcome is Outcome.WORKS for _, every in run.played for shown in every)
    raise SystemExit(ended or (0 if works else FINDINGS))


def _kind(words: Sequence[str], listens: bool) -> type[Served]:
    """How a program is reached, by its words."""
    if place_of(words) == FD:
        return Connected
    return Served if listens else Calling


def _write(file: str, data: bytes) -> None:
    with clear_errors(file):
        Path(file).write_bytes(data)


def _run(
    wanted: Sequence[Scenario],
    kinds: tuple[type[Served], type[Served]],
    timeout: float,
    captures: str | None,
    run: ScenarioRun,
) -> int:
    """Add to the run; an exit status where it was not possible to come to the end."""
    ended = 0
    with ExitStack() as owned:
        try:
            folder = owned.enter_context(tempfile.TemporaryDirectory(prefix="vudissect-check-"))
            programs = []
            for kind, words in zip(kinds, run.commands, strict=True):
                programs.append(kind(list(words), PATIENCE, Clock()))
                owned.callback(programs[-1].close)
            owned.callback(ignore_signals)
            runner = Runner((programs[0], programs[1]), timeout, Path(captures or folder), warn)
            runner.discover()
            run.steps = runner.steps
            _play(runner, wanted, run)
        except (ProgramError, AddressError) as error:
            warn(str(error))
            ended = CANNOT
        except OSError as error:
            warn(f"{error.filename or captures}: {error.strerror}")
            ended = CANNOT
        except SystemExit as end:
            ended = int(end.code or 0)
    if run.played:
        say("")
    for scenario, every in run.played:
        say(summary(scenario, every))
    return ended


def _play(runner: Runner, wanted: Sequence[Scenario], run: ScenarioRun) -> None:
    """Print each run when it is over."""
    style = output_style()
    say(set_up_line(runner.steps))
    for scenario in wanted:
        say(title(scenario))
        every: list[Shown] = []
        run.played.append((scenario, every))
        for tried in runner.runs(scenario):
            # While its capture is there.
            every.append(shown(tried))
            for line in tried_lines(tried, style):
                say(line)
            sys.stdout.flush()


def _wanted(names: Sequence[str]) -> list[Scenario]:
    """The scenarios with these names, or in these files, each with a name of its own."""
    wanted: list[Scenario] = []
    for scenario in (each for name in names for each in _scenarios(name)):
        name, number = scenario.name, 1
        while any(each.name == name for each in wanted):
            number += 1
            name = f"{scenario.name}-{number}"
        wanted.append(replace(scenario, name=name))
    return wanted


def _scenarios(name: str) -> Sequence[Scenario]:
    if name == _ALL:
        return SCENARIOS
    found = [scenario for scenario in SCENARIOS if scenario.name == name]
    if found:
        return found
    if not Path(name).exists():
        known = ", ".join(scenario.name for scenario in SCENARIOS)
        fail(f"{name}: neither a scenario nor a file; the scenarios are {known}, {_ALL}")
    return [from_lines(Path(name).stem, [fault.text for fault in faults_in(name)], name)]


def _words(program: tuple[str, ...], front_end: str | None) -> tuple[list[str], list[str]]:
    """The commands of the front-end and of the back-end; exit 2 if one is not usable."""
    if not program:
        fail("say how to start the back-end, after --")
    if not front_end:
        fail("say how to start the front-end: --with 'COMMAND {socket}'")
    try:
        words = shlex.split(front_end)
    except ValueError as error:
        fail(f"--with {front_end}: {str(error).lower()}")
    for side, command in ((Side.FRONT_END, words), (Side.BACK_END, program)):
        if place_of(command) is None:
            fail(no_place(side.label))
    return words, list(program)
