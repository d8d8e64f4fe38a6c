"""How the program that is checked is started, from the words of the command line."""

from collections.abc import Sequence

from vudissect.check.link import Clock
from vudissect.check.program import Connecting, Dialling, Handed, Listening, Program, Started
from vudissect.cli.errors import fail
from vudissect.protocol.model import Side

SOCKET, FD = "{socket}", "{fd}"
"""What a command has where the path of a socket, or the number of a connected one, will be."""

PATIENCE = 10.0
"""Seconds that a program has to start."""


def back_ends(words: tuple[str, ...], connect: str | None, jobs: int, *, client: bool, server: bool) -> list[Program]:
    """So many of them, or the one that runs already; exit 2 if it is not said how."""
    if server:
        fail("--server is for front-ends: without --client, a back-end listens at {socket}")
    if bool(words) == bool(connect):
        fail("say how to start the back-end, after --, or where it listens: --connect SOCKET")
    if connect:
        if client or jobs > 1:
            fail("--client and --jobs are for a back-end that is started here, not for --connect")
        return [Connecting(connect, Clock())]
    wanted = _place(words, "back-end")
    kind = Handed if wanted == FD else Dialling if client else Started
    return [kind(list(words), PATIENCE, Clock()) for _ in range(jobs)]


def front_ends(words: tuple[str, ...], connect: str | None, jobs: int, *, client: bool, server: bool) -> list[Program]:
    """So many of them; exit 2 if it is not said how to start one."""
    if connect:
        fail("--connect is for back-ends: a front-end is started for each case")
    if client:
        fail("--client is for back-ends: without --server, a front-end connects to {socket}")
    if not words:
        fail("say how to start the front-end, after --")
    wanted = _place(words, "front-end")
    kind = Handed if wanted == FD else Listening if server else Dialling
    return [kind(list(words), PATIENCE, Clock()) for _ in range(jobs)]


def _place(words: tuple[str, ...], who: str) -> str:
    """What the command has instead of a socket; exit 2 if it has nothing."""
    return place_of(words) or fail(no_place(who))


def place_of(words: Sequence[str]) -> str | None:
    """What a command has instead of a socket."""
    return next((place for place in (FD, SOCKET) if any(place in word for word in words)), None)


def no_place(who: str) -> str:
    """That a command has nothing of this kind."""
    return f"the command names no socket: write {SOCKET} where the {who} wants its path, or {FD} for a descriptor"


def start_options(role: Side, program: Program) -> list[str]:
    """The options that reach this kind of program."""
    if role is Side.FRONT_END:
        return ["--front-end", "--server"] if isinstance(program, Listening) else ["--front-end"]
    if isinstance(program, Connecting):
        return ["--connect", program.path]
    return ["--client"] if isinstance(program, Dialling) else []
