"""`vuproxy run`: starts a front-end or a back-end whose vhost-user sockets lead through a recorder."""

import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vudissect.cli.command import Command as CliCommand
from vudissect.cli.completion import FILE, files
from vudissect.cli.errors import CANNOT, fail, needs_linux, warn
from vudissect.cli.output import say
from vudissect.cli.recording import Asked, recording_options

if TYPE_CHECKING:
    from vudissect.launch.plan import Move, Plan
    from vudissect.proxy.shared import Settings


@click.command(
    "run",
    short_help="Start a program and record its sockets.",
    cls=CliCommand,
    examples=[
        (
            "QEMU, with a recorder on each of its vhost-user sockets",
            "vuproxy run -w boot.pcapng -- qemu-system-x86_64 -readconfig vm.cfg",
        ),
        (
            "A back-end",
            "vuproxy run -- virtiofsd --socket-path=fs.sock --shared-dir=/srv",
        ),
        (
            "What would be changed",
            "vuproxy run --dry-run -- virtiofsd --socket-path=fs.sock --shared-dir=/srv",
        ),
        (
            "Any back-end: front-ends connect to dev.sock",
            "vuproxy run --listen dev.sock -- my-backend --socket {socket}",
        ),
        (
            "A bundle for a bug report if it fails, with the last lines of its log",
            "vuproxy run --bundle-on exit --log - -- virtiofsd --socket-path=fs.sock",
        ),
    ],
)
@recording_options
@click.option(
    "--listen",
    metavar="ADDRESS",
    shell_complete=files,
    help="COMMAND is a back-end that listens at {socket}; front-ends connect to ADDRESS.",
)
@click.option(
    "--connect",
    metavar="ADDRESS",
    shell_complete=files,
    help="COMMAND is a front-end that connects to {socket}; its back-end listens at ADDRESS.",
)
@click.option(
    "--front-end",
    metavar="ROLE:ADDRESS",
    help="A socket that is not in the command line: where its front-end is, as for vuproxy itself.",
)
@click.option("--back-end", metavar="ROLE:ADDRESS", help="Where the back-end of that socket is.")
@click.option(
    "--log",
    metavar="FILE",
    type=FILE,
    help="The log of COMMAND, for bundles and their triggers; - for its standard error, which is then a file.",
)
@click.option(
    "--beside",
    metavar="PID",
    type=click.IntRange(1),
    help="COMMAND is started by the process PID: print the changed command line, and record until that process ends.",
)
@click.option("--dry-run", is_flag=True, help="Print the changed command line and start nothing.")
@click.argument("words", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
def command(
    listen: str | None,
    connect: str | None,
    front_end: str | None,
    back_end: str | None,
    log: str | None,
    beside: int | None,
    dry_run: bool,
    words: tuple[str, ...],
    asked: Asked,
) -> None:
    """Start COMMAND, a front-end or a back-end, and record its vhost-user sockets.

    The sockets are found in the command line of QEMU, qemu-storage-daemon, virtiofsd, DPDK, Cloud Hypervisor and
    crosvm; of any other program, write {socket} in place of the path. Terminal, signals and exit status are those of
    COMMAND. All sockets are in one capture, each with the id of its device.
    """
    needs_linux()
    # Imported here so that --help is quick.
    from vudissect.host.address import AddressError
    from vudissect.host.limits import LimitError
    from vudissect.proxy.bystander import Bystander
    from vudissect.proxy.command import Command, Surroundings, Wrapped
    from vudissect.proxy.program import run
    from vudissect.proxy.recording import RecordingError

    if asked.capture == "-":
        fail("-w -: standard output belongs to the command: name a file")
    if beside is not None and log == "-":
        fail("--log - takes the standard error of COMMAND, which --beside does not start: name a file")
    asked.check(has_command=True)
    if log is not None and not asked.has_bundles:
        fail("--log is for bundles: use it with --bundle-on or --control")
    if shutil.which(words[0]) is None:
        fail(f"{words[0]}: there is no such program: give its path, or a name that is on the PATH")
    surroundings = Surroundings()
    folder = ""
    wrapped: Wrapped | None = None
    try:
        folder = tempfile.mkdtemp(prefix="vuproxy-")
        own = _own_pair(front_end, back_end, asked)
        plan = _plan(list(words), folder, listen, connect, needs_any=not own)
        for line in _lines(plan):
            warn(line)
        if dry_run:
            say(shlex.join(plan.words))
            return
        for path, text in plan.files.items():
            Path(path).write_text(text)
        file = f"{folder}/stderr" if log == "-" else log or _log()
        links = _links(plan)
        if beside is not None:
            ready = _step_aside(plan.words)
            wrapped = Bystander(surroundings, plan.words, beside, ready, log=file, links=links)
        else:
            wrapped = Command(surroundings, plan.words, log=file, writes_log=log == "-", links=links)
        pairs = [*(_settings(move, asked) for move in plan.moves), *own]
        sys.exit(run(pairs, asked.recording(quiet=True, wrapped=wrapped, name=_name(plan))))
    except (AddressError, RecordingError, LimitError) as error:
        fail(str(error))
    except OSError as error:
        place = error.filename or (f"--beside {beside}" if beside else tempfile.gettempdir())
        fail(f"{place}: nothing can be recorded: {error.strerror}")
    finally:
        if folder and (wrapped is None or not wrapped.goes_on):
            shutil.rmtree(folder, ignore_errors=True)


def _step_aside(words: list[str]) -> int:
    """Go on in another process. This one prints the changed command line when that is ready, and ends.

    Returns the pipe on which the other process reports it.
    """
    waiting, ready = os.pipe()
    if os.fork():
        os.close(ready)
        is_ready = bool(os.read(waiting, 1))
        if is_ready:
            say(shlex.join(words))
            sys.stdout.flush()
        # All else belongs to the other process.
        os._exit(0 if is_ready else CANNOT)
    os.close(waiting)
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for stream in (0, 1):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    return ready


def _own_pair(front_end: str | None, back_end: str | None, asked: Asked) -> "list[Settings]":
    """A pair of sockets that is not in the command line, if there is one."""
    if front_end is None and back_end is None:
        return []
    if front_end is None or back_end is None:
        fail("--front-end and --back-end belong together: each has one side of a socket that COMMAND uses")
    from vudissect.host.address import parse_side
    from vudissect.proxy.shared import Settings

    return [Settings(parse_side(front_end), parse_side(back_end), wait=asked.wait, interpose=not asked.no_interpose)]


def _plan(words: list[str], folder: str, listen: str | None, connect: str | None, *, needs_any: bool) -> "Plan":
    from vudissect.launch.plan import PLACE, config_files, fill, plan

    address = listen or connect
    if any(PLACE in word for word in words):
        if address is None or (listen and connect):
            fail("{socket} needs either --listen or --connect: what the other side of the socket uses")
        return fill(words, folder, address, listens=listen is not None)
    if address is not None:
        fail("--listen and --connect are for {socket}, which is not in the command line: write it instead of the path")
    contents = {}
    for path in config_files(words):
        try:
            contents[path] = Path(path).read_text()
        except (OSError, UnicodeDecodeError) as error:
            fail(f"{path}: cannot be read: {error.strerror if isinstance(error, OSError) else 'it is not text'}")
    found = plan(words, folder, contents)
    if needs_any and not found.moves:
        reasons = "; ".join(f"{each.name} cannot be recorded: {each.reason}" for each in found.left)
        fail(
            reasons
            or f"{words[0]}: no vhost-user socket was found in its command line: write {{socket}} in place of its "
            "path, with --listen or --connect"
        )
    return found


def _lines(plan: "Plan") -> list[str]:
    lines = []
    for move in plan.moves:
        device = f" ({move.socket.device})" if move.socket.device else ""
        lines.append(f"{move.socket.name}{device}: {move.outside} is recorded, and the command uses {move.private}")
    return lines + [f"{each.name} is not recorded: {each.reason}" for each in plan.left]


def _name(plan: "Plan") -> str:
    """The address that the peer of the first socket uses: that of the command is in a folder that is new each time."""
    return str(plan.moves[0].outside) if plan.moves else ""


def _links(plan: "Plan") -> list[tuple[str, str]]:
    """Where each socket of the command leads if vuproxy is gone."""
    links = []
    for move in plan.moves:
        if move.private.is_path and move.outside.is_path:
            private, outside = move.private.name, os.path.abspath(move.outside.name)
            links.append((outside, private) if move.socket.listens else (private, outside))
    return links


def _log() -> str:
    """The file that standard error is written to, if it is one."""
    try:
        path = os.readlink("/proc/self/fd/2")
        return path if os.path.isfile(path) and os.path.samefile("/proc/self/fd/2", path) else ""
    except OSError:
        return ""


def _settings(move: "Move", asked: Asked) -> "Settings":
    from vudissect.host.access import Access
    from vudissect.protocol.model import Side
    from vudissect.proxy.shared import Settings

    sides = (move.private, move.outside) if move.socket.side is Side.FRONT_END else (move.outside, move.private)
    # As the command itself would create its socket.
    mask = os.umask(0)
    os.umask(mask)
    access = Access(0o777 & ~mask)
    return Settings(
        *sides,
        wait=asked.wait,
        interpose=not asked.no_interpose,
        device=move.socket.device,
        device_id=move.socket.name,
        access=access,
    )


# Options after the name of the command are its own, also without "--".
command.allow_interspersed_args = False
