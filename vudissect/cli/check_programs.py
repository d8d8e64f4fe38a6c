"""How the program that is checked is started, from the words of the command line."""

from vudissect.check.link import Clock
from vudissect.check.program import Connecting, Dialling, Handed, Program, Started
from vudissect.cli.errors import fail
from vudissect.protocol.model import Side

PATIENCE = 10.0
"""Seconds that a program has to start."""


def back_ends(words: tuple[str, ...], connect: str | None, jobs: int, *, client: bool) -> list[Program]:
    """So many of them, or the one that runs already; exit 2 if it is not said how."""
    if bool(words) == bool(connect):
        fail("say how to start the back-end, after --, or where it listens: --connect SOCKET")
    if connect:
        if client or jobs > 1:
            fail("--client and --jobs are for a back-end that is started here, not for --connect")
        return [Connecting(connect, Clock())]
    wanted = _place(words, "back-end")
    kind = Handed if wanted == "{fd}" else Dialling if client else Started
    return [kind(list(words), PATIENCE, Clock()) for _ in range(jobs)]


def front_ends(words: tuple[str, ...], connect: str | None, jobs: int, *, client: bool) -> list[Program]:
    """So many of them; exit 2 if it is not said how to start one."""
    if connect or client:
        option = "--connect" if connect else "--client"
        fail(f"{option} is for back-ends: a front-end is started for each case, and connects to {{socket}}")
    if not words:
        fail("say how to start the front-end, after --")
    kind = Handed if _place(words, "front-end") == "{fd}" else Dialling
    return [kind(list(words), PATIENCE, Clock()) for _ in range(jobs)]


def _place(words: tuple[str, ...], who: str) -> str:
    """What the command has instead of a socket."""
    place = next((place for place in ("{fd}", "{socket}") if any(place in word for word in words)), None)
    if place is None:
        fail(
            f"the command names no socket: write {{socket}} where the {who} wants its path, or {{fd}} for a descriptor"
        )
    return place


def start_options(role: Side, program: Program) -> list[str]:
    """The options that reach this kind of program."""
    if role is Side.FRONT_END:
        return ["--front-end"]
    if isinstance(program, Connecting):
        return ["--connect", program.path]
    return ["--client"] if isinstance(program, Dialling) else []
