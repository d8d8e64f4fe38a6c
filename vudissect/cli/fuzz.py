"""`vudissect fuzz`: play changed sessions with a back-end or a front-end until something breaks."""

import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import click

from vudissect.analysis import UpToTheCut
from vudissect.capture.reader import read_capture
from vudissect.check.program import Program, ProgramError
from vudissect.check.runner import Options
from vudissect.cli.check_programs import PATIENCE, back_ends, front_ends, start_options
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE
from vudissect.cli.devices import device_option
from vudissect.cli.errors import FINDINGS, clear_errors, fail, warn
from vudissect.cli.interruption import exit_on_signals, ignore_signals
from vudissect.cli.lines import text_of
from vudissect.cli.numbers import Finite
from vudissect.cli.output import say
from vudissect.cli.progress import opened
from vudissect.conversation.conversation import ConversationError
from vudissect.fuzz.back_end import BackEnd
from vudissect.fuzz.corpus import Corpus
from vudissect.fuzz.coverage import RUNTIME
from vudissect.fuzz.files import messages_of, write_finding
from vudissect.fuzz.finding import Finding, key_of
from vudissect.fuzz.front_end import FrontEnd
from vudissect.fuzz.fuzzer import Fuzzer, Limits
from vudissect.fuzz.leaks import leak
from vudissect.fuzz.steps import Steps, read_steps
from vudissect.fuzz.target import Target
from vudissect.host.limits import raise_descriptor_limit
from vudissect.host.threads import run_together
from vudissect.protocol.model import Device, Side
from vudissect.render.units import printable

_MOST_JOBS = 64
_EVERY_SECONDS = 0.25
_UNITS = {"s": 1, "m": 60, "h": 3600, "": 1}
_CAPTURES = ("*.pcapng", "*.pcapng.gz", "*.pcapng.zst", "*.vu")


class _Duration(click.ParamType[float]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds: `90`, `90s`, `10m`, `8h`."""
        if isinstance(value, float | int):
            return float(value)
        match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smh]?)", value)
        if match is None:
            self.fail(f"{value!r} is not a time: write 90s, 10m or 8h.", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


@click.command(
    "fuzz",
    cls=Command,
    examples=[
        ("Ten minutes, from sessions of its own", "vudissect fuzz --time 10m -- my-backend --socket-path={socket}"),
        ("A front-end", "vudissect fuzz --front-end -- my-vmm --vhost-user {socket}"),
        ("From recorded sessions", "vudissect fuzz --seed-captures captures -- my-backend -s {socket}"),
        ("A finding again", "vudissect fuzz --again fuzz-findings/NAME.vu -- my-backend -s {socket}"),
        ("Every night, each time further", "vudissect fuzz --corpus corpus --time 8h -- my-backend -s {socket}"),
    ],
)
@click.argument("program", type=FILE, nargs=-1, metavar="-- COMMAND ...")
@click.option(
    "--seed-captures",
    type=FILE,
    metavar="FOLDER",
    help="Begin with the captures and conversations (*.vu) there, besides sessions that the program takes part in.",
)
@click.option("--client", is_flag=True, help="The back-end connects to {socket}; we listen there.")
@click.option("--front-end", is_flag=True, help="COMMAND starts a front-end; we are the back-end, at {socket}.")
@click.option("--server", is_flag=True, help="With --front-end: the front-end listens at {socket}.")
@click.option("--time", "seconds", type=_Duration(), default="60s", metavar="TIME", help="How long: 90s, 10m, 8h.")
@click.option("--runs", type=click.IntRange(1), metavar="N", help="End after N sessions.")
@click.option("--seed", type=click.IntRange(0), default=1, metavar="N", help="Where the random numbers begin.")
@click.option("--jobs", type=click.IntRange(1, _MOST_JOBS), default=1, metavar="N", help="Start N of them at once.")
@click.option(
    "--timeout", type=Finite(0.01, 3600), default=0.5, metavar="SECONDS", help="How long to wait for an answer."
)
@click.option(
    "--corpus", type=FILE, metavar="FOLDER", help="Keep the sessions that show something new there, for the next run."
)
@click.option(
    "-o",
    "--output",
    type=FILE,
    default="fuzz-findings",
    metavar="FOLDER",
    help="Write each finding there, as a conversation and as a capture.",
)
@click.option(
    "--write-runtime",
    type=FILE,
    metavar="FILE",
    help="Write the C file there that a back-end is linked with to show which edges of its code it passes, and end.",
)
@click.option("--again", type=FILE, metavar="FILE", help="Play this conversation once, and say what comes of it.")
@device_option("The device type (blk, net, ...), for a back-end that does not show it.")
def command(
    program: tuple[str, ...],
    seed_captures: str | None,
    client: bool,
    front_end: bool,
    server: bool,
    seconds: float,
    runs: int | None,
    seed: int,
    jobs: int,
    timeout: float,
    corpus: str | None,
    output: str,
    write_runtime: str | None,
    again: str | None,
    device: Device | None,
) -> None:
    """Fuzz a back-end, or a front-end: change sessions by knowledge of the messages, play them, and report what the
    program does not survive.

    COMMAND starts the program. Write {socket} where it wants the path of its socket, or {fd} for a connected one. It
    is started again where it has ended, and ended at the end. A finding is a crash, an exit, a hang, or descriptors
    that are left over. Each is made short, and written once. Exit status: 0 without findings, 1 with some, 2 if the
    program cannot be started.
    """
    if write_runtime is not None:
        with clear_errors(write_runtime):
            Path(write_runtime).write_text(RUNTIME.read_text())
        return
    raise_descriptor_limit()
    exit_on_signals()
    options = Options(device, timeout, PATIENCE)
    role = Side.FRONT_END if front_end else Side.BACK_END
    programs = (front_ends if front_end else back_ends)(program, None, jobs, client=client, server=server)
    with ExitStack() as owned:
        for each in programs:
            owned.callback(each.close)
        owned.callback(ignore_signals)
        workers = _discovered(role, programs, options)
        if again is not None:
            raise SystemExit(_play_again(workers[0], again))
        seeds = _seeds(workers[0], seed_captures)
        _try_to_make(output)
        with clear_errors(corpus or output):
            kept = Corpus(seeds, Path(corpus) if corpus is not None else None, workers[0].plays)
        for line in kept.unreadable:
            warn(line)
        named = ["--device", device.name] if device is not None else []
        show = _Progress(Path(output), [*start_options(role, programs[0]), *named, "--", *program])
        fuzzer = Fuzzer(kept, seed, Limits(seconds, runs), show.found, show.tick)
        ended, error = 0, None
        try:
            error = _run(fuzzer, workers)
        except SystemExit as end:
            ended = int(end.code or 0)
        show.clear()
    say(
        f"{fuzzer.runs} sessions in {fuzzer.seconds:.0f} s, {len(kept.entries)} in the corpus, "
        f"{len(kept.coverage)} things seen{_edges(kept)}, {show.count} finding{'' if show.count == 1 else 's'}"
    )
    if error is not None:
        fail(error)
    raise SystemExit(ended or (FINDINGS if show.count else 0))


def _edges(corpus: Corpus) -> str:
    return f", {len(corpus.edges)} edges" if corpus.edges else ""


def _discovered(role: Side, programs: Sequence[Program], options: Options) -> list[Target]:
    kind = FrontEnd if role is Side.FRONT_END else BackEnd
    workers: list[Target] = [kind(each, options) for each in programs]
    try:
        remarks = {worker.discover() for worker in workers}
    except ProgramError as error:
        fail(str(error))
    for remark in filter(None, sorted(remarks)):
        warn(remark)
    return workers


def _seeds(worker: Target, folder: str | None) -> list[Steps]:
    seeds = worker.own_seeds()
    if folder is None:
        return seeds
    with clear_errors(folder):
        files = sorted(file for pattern in _CAPTURES for file in Path(folder).rglob(pattern))
        if not Path(folder).is_dir():
            fail(f"{folder}: not a folder")
    if not files:
        fail(f"{folder}: there are no captures or conversations in it")
    for file in files:
        if file.suffix == ".vu":
            seeds.append(_conversation(str(file), worker.plays))
        else:
            with opened(str(file)) as stream:
                seeds.append(worker.seed(UpToTheCut(read_capture(stream))))
    return seeds


def _conversation(file: str, plays: Side) -> Steps:
    try:
        with clear_errors(file):
            return read_steps(text_of(file), plays)
    except ConversationError as error:
        fail(f"{file}: {error}")


def _play_again(worker: Target, file: str) -> int:
    steps = _conversation(file, worker.plays)
    played = worker.play(steps, fresh=True, careful=True)
    key = key_of(played) or leak(worker, steps, played)
    say(f"{printable(str(key or 'nothing is wrong'))}; {played.fate}")
    return FINDINGS if key is not None else 0


def _try_to_make(folder: str) -> None:
    """Exit 2 if there is no such folder and it cannot be made; it is only made for findings."""
    with clear_errors(folder):
        if not Path(folder).is_dir():
            Path(folder).mkdir(parents=True)
            Path(folder).rmdir()


def _run(fuzzer: Fuzzer, workers: Sequence[Target]) -> str | None:
    """Let all of them work; why one could not go on."""
    try:
        run_together([partial(fuzzer.work, worker) for worker in workers], fuzzer.stop)
    except ProgramError as error:
        return str(error)
    return None


class _Progress:
    """Prints and writes findings as they come; and on a terminal how far it is."""

    def __init__(self, folder: Path, words: Sequence[str]) -> None:
        self.count = 0
        self._folder = folder
        self._words = words
        self._shows = sys.stderr.isatty()
        self._next = 0.0

    def found(self, finding: Finding) -> None:
        """Write it, and say so."""
        self.count += 1
        self.clear()
        with clear_errors(str(self._folder)):
            file = write_finding(finding, self._folder, self._words)
        count = messages_of(finding)
        once = "" if finding.reproduced else ", only once"
        say(f"{printable(str(finding.key))} ({count} message{'' if count == 1 else 's'}{once}): {file}")
        sys.stdout.flush()

    def tick(self, fuzzer: Fuzzer) -> None:
        """One session more."""
        if self._shows and fuzzer.seconds >= self._next:
            self._next = fuzzer.seconds + _EVERY_SECONDS
            corpus = fuzzer.corpus
            text = (
                f"{fuzzer.runs} sessions, {fuzzer.seconds:.0f} s, {len(corpus.entries)} in the corpus{_edges(corpus)}"
            )
            print(f"\r{text}, {self.count} findings", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Make way for a line."""
        if self._shows:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
