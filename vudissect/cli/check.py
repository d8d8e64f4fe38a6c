"""`vudissect check`: the conformance suite."""

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from vudissect.check.cases import ALL_CASES
from vudissect.check.cases.front_end import FRONT_END_CASES
from vudissect.check.expectation import ExpectationError, Known, compare, expectation_text, fails, read_expectation
from vudissect.check.front_end.runner import FrontEndRunner
from vudissect.check.model import Case
from vudissect.check.outcome import Result
from vudissect.check.program import Program, ProgramError
from vudissect.check.recorder import capture_of
from vudissect.check.results import read_results
from vudissect.check.runner import Options, Runner
from vudissect.check.selection import SelectionError, select
from vudissect.check.workers import Workers
from vudissect.cli.check_matrix import matrix
from vudissect.cli.check_pages import capture_links, make_folder, write_pages
from vudissect.cli.check_programs import PATIENCE, back_ends, front_ends, start_options
from vudissect.cli.check_scenarios import is_scenario, scenarios
from vudissect.cli.check_self import test_suite
from vudissect.cli.check_views import Run, json_text, junit_text, list_lines, result_lines, run_again, summary, times
from vudissect.cli.colour import color_option, output_style
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE, files
from vudissect.cli.devices import device_option
from vudissect.cli.errors import FINDINGS, clear_errors, fail, warn
from vudissect.cli.interruption import exit_on_signals, ignore_signals
from vudissect.cli.lines import text_of
from vudissect.cli.numbers import Finite
from vudissect.cli.output import defer_output_errors, say
from vudissect.host.limits import raise_descriptor_limit
from vudissect.protocol.model import Device, Side
from vudissect.report.site import peer_site

_MOST_JOBS = 64


class _Check(Command):
    """`check matrix` and `check --scenario` are commands of their own; all other arguments are those of `check`."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args[:1] == ["matrix"]:
            return matrix.make_context(f"{info_name} matrix", args[1:], parent, **extra)
        if is_scenario(args):
            return scenarios.make_context(info_name, args, parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(
    "check",
    cls=_Check,
    examples=[
        ("Start a back-end and check it", "vudissect check -- my-backend --socket-path={socket}"),
        ("Check one that runs already", "vudissect check --connect back.sock"),
        ("Only what is about rings", "vudissect check --only RNG -- my-backend -s {socket}"),
        ("Check a front-end", "vudissect check --front-end -- my-vmm --disk={socket}"),
        ("In CI, with known failures", "vudissect check --expect known.txt -- my-backend -s {socket}"),
        (
            "Kill either side at each message",
            "vudissect check --scenario all --with 'vmm -d={socket}' -- disk -s={socket}",
        ),
        ("The results of two releases side by side", "vudissect check matrix 1.0.json 1.1.json --html pages"),
    ],
)
@click.argument("program", type=FILE, nargs=-1, metavar="[-- COMMAND ...]")
@click.option(
    "--connect", metavar="SOCKET", shell_complete=files, help="Check a back-end that runs already and listens there."
)
@click.option("--front-end", is_flag=True, help="Check a front-end, which connects to {socket}.")
@click.option("--client", is_flag=True, help="The back-end connects to {socket}; the suite listens there.")
@click.option("--server", is_flag=True, help="The front-end listens at {socket}; the suite connects there.")
@click.option("--only", multiple=True, metavar="WHAT", help="Only these cases: see --list and docs/conformance.md.")
@click.option("--skip", multiple=True, metavar="WHAT", help="All but these cases.")
@device_option("The device type (blk, net, ...), for a back-end that does not show it; front-ends have blk.")
@click.option("--strict", is_flag=True, help="What is only a SHOULD or a custom counts as a failure.")
@click.option("--repeat", metavar="N", type=click.IntRange(1, 10_000), default=1, help="Play each case N times.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=Finite(0.01, 3600),
    default=1,
    help="How long to wait for an answer.",
)
@click.option("--jobs", metavar="N", type=click.IntRange(1, _MOST_JOBS), default=1, help="Start N of them at once.")
@click.option("--name", metavar="TEXT", help="What to call the program, such as 'my-disk 1.2'.")
@click.option("--peer-version", metavar="TEXT", default="", help="Its version, for the results.")
@click.option("--expect", type=FILE, metavar="FILE", help="Known results: only what is worse is a failure.")
@click.option("--write-expect", type=FILE, metavar="FILE", help="Write the results as known ones.")
@click.option("--json", "json_file", type=FILE, metavar="FILE", help="Write the results as JSON.")
@click.option("--junit", "junit_file", type=FILE, metavar="FILE", help="Write a JUnit report.")
@click.option(
    "--captures", type=FILE, metavar="FOLDER", help="Write the conversation of each case there, as a capture."
)
@click.option("--html", type=FILE, metavar="FOLDER", help="Write pages there: an index, and a page for each case.")
@click.option("--list", "list_only", is_flag=True, help="List the cases; nothing is started.")
@click.option(
    "--self-test", "own", is_flag=True, help="Play the cases against the suite's own reference and its faults."
)
@click.option(
    "--scenario",
    metavar="NAME|FILE",
    expose_value=False,
    help="Inject faults between two programs instead: see vudissect check --scenario all --help.",
)
@click.option("-v", "--verbose", is_flag=True, help="Print the cases that pass, too.")
@color_option
def command(
    program: tuple[str, ...],
    connect: str | None,
    front_end: bool,
    client: bool,
    server: bool,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    device: Device | None,
    strict: bool,
    repeat: int,
    timeout: float,
    jobs: int,
    name: str | None,
    peer_version: str,
    expect: str | None,
    write_expect: str | None,
    json_file: str | None,
    junit_file: str | None,
    captures: str | None,
    html: str | None,
    list_only: bool,
    own: bool,
    verbose: bool,
) -> None:
    """Check a back-end for conformance: play a conversation with it for each case, and say what it did.

    COMMAND starts the back-end. Write {socket} where it wants the path of its socket. It is kept as long as it lives,
    started again where it has ended, and ended at the end. A back-end that wants a
    connected socket as a descriptor gets its number for {fd}. Exit status: 0 if no case fails, 1 if some do, 2 if the
    back-end cannot be checked.

    With --front-end, COMMAND starts a front-end, for each case once more, and a back-end that has one flaw a case plays
    against it.

    vudissect check matrix puts the results of several programs side by side.
    """
    role = Side.FRONT_END if front_end else Side.BACK_END
    cases = _selected(FRONT_END_CASES if front_end else ALL_CASES, only, skip)
    if list_only:
        for line in list_lines(cases):
            say(line)
        return
    options = Options(device, timeout, PATIENCE, repeat)
    raise_descriptor_limit()
    exit_on_signals()
    defer_output_errors()
    if own:
        test_suite(role, cases, options)
        return
    known = _known(expect)
    for folder in (captures, html):
        if folder is not None:
            make_folder(folder)
    show = _Progress(len(cases), known, strict=strict, verbose=verbose)
    start = front_ends if front_end else back_ends
    try:
        programs = start(program, connect, jobs, client=client, server=server)
    except ProgramError as error:
        fail(str(error))
    run, ended = _run(role, programs, cases, options, (name, peer_version), program, show)
    if captures is not None:
        for result in run.results:
            _write(str(Path(captures) / f"{result.case.id}.pcapng"), capture_of(result.records, result.case.title))
    if json_file is not None:
        _write(json_file, json_text(run).encode())
    if html is not None:
        write_pages(html, peer_site(read_results(json_text(run)), capture_links(run, html, captures)))
    elif sys.stderr.isatty():
        _point_to_pages(run, known, strict=strict)
    if junit_file is not None:
        _write(junit_file, junit_text(run, lambda result: fails(known, result, strict=strict)))
    if write_expect is not None:
        _write(write_expect, expectation_text(role.label, run.name, run.results, known).encode())
    raise SystemExit(ended or _verdict(run, known, strict))


def _selected(cases: Sequence[Case], only: Sequence[str], skip: Sequence[str]) -> list[Case]:
    try:
        return select(cases, only, skip)
    except SelectionError as error:
        fail(str(error))


def _known(file: str | None) -> Known | None:
    if file is None:
        return None
    try:
        with clear_errors(file):
            return read_expectation(text_of(file))
    except ExpectationError as error:
        fail(f"{file}: {error}")


def _run(
    role: Side,
    programs: list[Program],
    cases: list[Case],
    options: Options,
    called: tuple[str | None, str],
    words: Sequence[str],
    show: "_Progress",
) -> tuple[Run, int]:
    """The results, and an exit status where it was not possible to come to the end; `called` is name and version."""
    began, start, worked = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic(), time.process_time()
    ended = 0
    with ExitStack() as owned:
        for program in programs:
            owned.callback(program.close)
        owned.callback(ignore_signals)
        kind = FrontEndRunner if role is Side.FRONT_END else Runner
        runners = [kind(program, options) for program in programs]
        try:
            for runner in runners:
                runner.discover()
        except ProgramError as error:
            fail(str(error))
        workers = Workers(runners, cases, show)
        try:
            workers.run()
        except SystemExit as end:
            ended = int(end.code or 0)
        finally:
            show.clear()
        peer = programs[0].peer
        name = called[0] or peer.executable.rpartition("/")[2] or peer.command or role.label
        starting = sum(program.starting for program in programs)
        waiting = sum(program.clock.waited for program in programs)
    if workers.error is not None:
        warn(str(workers.error))
        ended = ended or FINDINGS
    run = Run(
        role,
        name,
        [*start_options(role, programs[0]), *_judging_options(options)],
        words,
        runners[0].discovered,
        workers.in_order(),
        began,
        time.monotonic() - start,
        starting,
        waiting,
        time.process_time() - worked,
        not ended,
        called[1],
    )
    say(summary(run))
    say(times(run))
    return run, ended


def _judging_options(options: Options) -> list[str]:
    """The options without which a case may end otherwise."""
    device = ["--device", options.device.name] if options.device is not None else []
    usual = options.timeout == Options().timeout
    return device if usual else [*device, "--timeout", f"{options.timeout:g}"]


class _Progress:
    """Prints results as they come, but not failures that are known; and on a terminal how far it is."""

    def __init__(self, count: int, known: Known | None, *, strict: bool, verbose: bool) -> None:
        self._count = count
        self._known = known
        self._strict = strict
        self._done = 0
        self._verbose = verbose
        self._style = output_style()
        self._shows = sys.stderr.isatty()

    def __call__(self, result: Result) -> None:
        self._done += 1
        self.clear()
        failed = fails(self._known, result, strict=self._strict)
        if self._verbose or result.ours or failed or result.changes:
            for line in result_lines(result, self._style):
                say(line)
            sys.stdout.flush()
        if self._shows:
            print(f"\r{self._done}/{self._count} {result.case.id}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Make way for a line."""
        if self._shows:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _write(file: str, data: bytes) -> None:
    with clear_errors(file):
        Path(file).write_bytes(data)


def _point_to_pages(run: Run, known: Known | None, *, strict: bool) -> None:
    """How somebody sees more of a failure who has not asked for it."""
    failed = next((result for result in run.results if fails(known, result, strict=strict)), None)
    if failed is not None:
        again = run_again(run, failed, "--html", "pages")
        print(f"\nThe conversation of a case, and a text for a bug report:\n    {again}", file=sys.stderr)


def _verdict(run: Run, known: Known | None, strict: bool) -> int:
    if any(result.ours for result in run.results):
        warn("the suite broke rules that its cases do not declare (suite error): please report it")
    if known is None:
        return FINDINGS if any(fails(known, result, strict=strict) for result in run.results) else 0
    compared = compare(known, run.results, strict=strict)
    for line in compared.better:
        say(f"better than expected: {line}")
    for line in compared.worse:
        say(f"worse than expected: {line}")
    if not compared.worse:
        say("nothing is worse than expected")
    return FINDINGS if compared.worse else 0
