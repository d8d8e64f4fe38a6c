"""Runs every reader on a mutant, as the commands do, but without the handler of unexpected exceptions.

Each must have an exit status from 0 to 2, a reason on standard error with 2 and nothing there with 0, printable output,
well-formed JSON and XML, and take bounded time.
"""

import io
import json
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from importlib import import_module
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import click

from tests.fuzz import mutate
from vudissect.capture.errors import CaptureError
from vudissect.replay import InMemory, Options, Side, load, replay

SLOW = 10.0
_HEALTHY = Path(__file__).parents[2] / "captures" / "qemu-7.2-blk-qsd.pcapng"
_TRACEBACK_DEPTH = 3
# The last term always holds: what shows nothing has something to report.
_FILTERS = (
    "ring>1 or size>=4K or num!=256 or frame>=1",
    "!(latency<1ms) and has:fd or features=VERSION_1 or frame>=1",
    "severity>=warning and blame!=unknown or frame>=1",
    "contents=00 or regions.user_addr>0 or uuid!=x or frame>=1",
)


class Failure(NamedTuple):
    """How a view failed with a mutant."""

    seed: int
    view: str
    text: str


class Result(NamedTuple):
    """The result of a mutant: the time of its slowest view (s), and the failures."""

    seed: int
    slowest: float
    view: str
    failures: tuple[Failure, ...]


class ViewError(Exception):
    """A view did something that it must never do."""


def check(seed: int, folder: Path) -> Result:
    """Make the mutant with this seed and run every view on it; files go to `folder`."""
    file = folder / "mutant"
    file.write_bytes(mutate.capture(seed))
    failures: list[Failure] = []
    times: list[tuple[float, str]] = []

    @contextmanager
    def view(name: str) -> Iterator[None]:
        start = time.thread_time()
        try:
            yield
        except Exception:
            failures.append(Failure(seed, name, traceback.format_exc(limit=-_TRACEBACK_DEPTH)))
        times.append((time.thread_time() - start, name))
        if times[-1][0] > SLOW:
            failures.append(Failure(seed, name, f"took {times[-1][0]:.1f} s"))

    transcript = ""
    options = (["-v"], ["--no-times"], [])[seed % 3]
    with view("show"):
        transcript = _command("show", *options, str(file))
    with view("show --json"):
        for line in _command("show", "--json", str(file)).splitlines():
            json.loads(line)
    with view("lint"):
        _lint(file, folder / "junit.xml")
    with view("summary"):
        _command("summary", str(file))
    with view("summary --json"):
        for line in _command("summary", "--json", str(file)).splitlines():
            json.loads(line)
    with view("times"):
        _command("times", "--perfetto", str(folder / "trace"), str(file))
    with view("times --json"):
        for line in _command("times", "--json", str(file), str(_HEALTHY)).splitlines():
            json.loads(line)
    with view("diff"):
        _command("diff", str(file), str(_HEALTHY))
    with view("diff --since-first"):
        _command("diff", "--since-first", str(_HEALTHY), str(file))
    with view("diff --json"):
        for line in _command("diff", "--json", str(file), str(_HEALTHY)).splitlines():
            json.loads(line)
    with view("show --filter"):
        _command("show", "--filter", _FILTERS[seed % len(_FILTERS)], str(file))
    with view("state"):
        _command("state", str(file))
    with view("state --json"):
        for line in _command("state", "--json", "--filter", "kind=malformed or frame=9", str(file)).splitlines():
            json.loads(line)
    with view("compose"):
        _compose(folder, transcript)
    with view("compose with errors"):
        _compose(folder, mutate.text(seed, transcript if seed % 2 else mutate.texts()[seed // 2 % len(mutate.texts())]))
    side = (Side.FRONT_END, Side.BACK_END)[seed % 2]
    with view(f"replay as {side.label}"):
        _replay(file, side)
    return Result(seed, *max(times), tuple(failures))


def _lint(file: Path, report: Path) -> None:
    report.unlink(missing_ok=True)
    _command("lint", "--junit", str(report), str(file))
    if report.exists():
        ElementTree.parse(report)


def _compose(folder: Path, text: str) -> None:
    talk, made = folder / "talk", folder / "made"
    talk.write_bytes(text.encode(errors="surrogatepass"))
    made.unlink(missing_ok=True)
    _command("compose", str(talk), "-w", str(made))
    if made.exists():
        _command("show", "--json", str(made))


def _replay(file: Path, side: Side) -> None:
    try:
        script = load(str(file), side)
    except CaptureError:
        return
    replay(script, InMemory(lambda _: ()), None, Options(timeout=0.001, keep_going=True))


def _command(name: str, *arguments: str) -> str:
    """Run a command and return its output."""
    command: click.Command = import_module(f"vudissect.cli.{name}").command
    output = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace")
    errors = io.StringIO()
    before, sys.stdout = sys.stdout, output
    try:
        with redirect_stderr(errors):
            status = _status(command, arguments)
    finally:
        sys.stdout = before
    output.flush()
    text = output.buffer.getvalue().decode()
    _judge(status, text, errors.getvalue())
    return text


def _status(command: click.Command, arguments: Sequence[str]) -> int:
    try:
        command.main(list(arguments), standalone_mode=False)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else -1
    return 0


def _judge(status: int, text: str, errors: str) -> None:
    if status not in (0, 1, 2):
        raise ViewError(f"exit status {status}")
    if status == 2 and not errors:
        raise ViewError("exit status 2 and nothing on standard error")
    if status == 0 and errors:
        raise ViewError(f"exit status 0 and on standard error: {errors!r}")
    for line in errors.split("\n"):
        _printable(line)
    for line in text.split("\n"):
        _printable(line)


def _printable(line: str) -> None:
    unprintable = [char for char in line if not char.isprintable() and ord(char) < 0xA0]
    if unprintable:
        raise ViewError(f"{unprintable!r} in {line!r}")
