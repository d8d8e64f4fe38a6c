"""`--fault`, `--scenario` and `--script`: faults in the traffic. Their language is imported only if it is used."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from vudissect.cli.completion import FILE
from vudissect.cli.errors import fail, warn

if TYPE_CHECKING:
    from vudissect.faults.language import Fault
    from vudissect.proxy.faulting import Faults

_EXPLAINED = "docs/faults.md explains the language"


FAULT_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--fault",
        "faults",
        metavar="FAULT",
        multiple=True,
        help="Inject a fault on messages, such as 'SET_VRING_ENABLE and ring=1 : drop' (repeatable).",
    ),
    click.option(
        "--scenario", metavar="FILE", type=FILE, help="Inject the faults in this file, one a line (docs/faults.md)."
    ),
    click.option(
        "--script", metavar="FILE", type=FILE, help="Inject what a function in Python answers to each message."
    ),
)


def engine_of(faults: tuple[str, ...], scenario: str | None, script: str | None) -> "Faults | None":
    """What decides on the faults; None without any. An invalid one ends the program."""
    if not faults and scenario is None and script is None:
        return None
    from vudissect.faults.engine import Engine
    from vudissect.faults.errors import FaultError
    from vudissect.faults.language import read_fault

    read = []
    for place, text in enumerate(faults, 1):
        try:
            read.append(read_fault(text, place))
        except FaultError as error:
            fail(f"--fault {text!r}: {error} ({_EXPLAINED})")
    if scenario is not None:
        read += faults_in(scenario, len(read) + 1)
    if script is None:
        return Engine(read)
    from vudissect.faults.script import ScriptError, load_script

    try:
        return Engine(read, load_script(script, len(read) + 1), warn)
    except ScriptError as error:
        fail(f"{script}: {error} ({_EXPLAINED})")


def faults_in(path: str, first: int = 1) -> "list[Fault]":
    """The faults of the scenario in a file, numbered from `first`. An invalid one ends the program."""
    from vudissect.faults.errors import ScenarioError
    from vudissect.faults.language import read_scenario

    try:
        with open(path, encoding="utf-8-sig") as file:
            read = read_scenario(file, first)
    except ScenarioError as error:
        fail(f"{path}: {error} ({_EXPLAINED})")
    except OSError as error:
        fail(f"{path}: cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        fail(f"{path}: not a scenario: it is not text in UTF-8")
    if not read:
        fail(f"{path}: no fault in it: write one a line, such as SET_VRING_ENABLE : drop")
    return read
