"""The help of every command: examples that work, defaults, and lines that fit a terminal."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.cli.program import run_program
from vudissect.cli.check_matrix import matrix
from vudissect.cli.check_scenarios import scenarios
from vudissect.cli.command import Command
from vudissect.cli.main import main
from vudissect.cli.vuproxy import main as vuproxy

COLUMNS = 80
PROGRAMS: dict[str, click.Command] = {"vudissect": main, "vuproxy": vuproxy}
CAPTURE = Path(__file__).parents[2] / "captures" / "qemu-10.0-blk-qsd.pcapng"
# They print what is in the package, so that their examples can be run as they are.
SELF_CONTAINED = ("rules", "messages", "dialects", "filters")


def commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """A command and all below it, with the words that call it."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from commands(f"{name} {below}", found)


EVERY = [each for name, program in PROGRAMS.items() for each in commands(name, program)]
EVERY.append(("vudissect check matrix", matrix))
EVERY.append(("vudissect check --scenario", scenarios))
every_command = pytest.mark.parametrize("command", [pytest.param(command, id=name) for name, command in EVERY])


def examples(command: click.Command) -> list[str]:
    assert isinstance(command, Command)
    return [line for _, line in command.examples]


EXAMPLES = [pytest.param(line, id=line) for _, command in EVERY for line in examples(command)]


def parse(command: click.Command, name: str, words: list[str], parent: click.Context | None = None) -> None:
    """Check the words of a command line as the command does before it starts."""
    context = command.make_context(name, words, parent)
    words = [*context._protected_args, *context.args]
    if isinstance(command, click.Group) and (words or not command.invoke_without_command):
        below, found, rest = command.resolve_command(context, words)
        assert found is not None
        parse(found, str(below), rest, context)


@every_command
def test_there_are_examples(command: click.Command) -> None:
    assert examples(command)


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_is_a_command_line(line: str) -> None:
    words = shlex.split(line.replace("\\\n", " "), comments=False)
    starts = [position for position, word in enumerate(words) if word in PROGRAMS]

    for start in starts:
        end = next((n for n, word in enumerate(words[start:], start) if word in ("|", ">", "&&")), len(words))
        parse(PROGRAMS[words[start]], words[start], words[start + 1 : end])
    assert starts or words[0] == "wireshark"


@pytest.mark.parametrize("line", [each for each in EXAMPLES if str(each.values[0]).split()[1:2][0] in SELF_CONTAINED])
def test_an_example_that_needs_no_file_works(line: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vudissect.cli", *shlex.split(line)[1:]], capture_output=True, timeout=30
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout


@every_command
def test_every_option_is_explained_and_shows_its_default(command: click.Command) -> None:
    context = click.Context(command, **command.context_settings)
    for option in command.params:
        if not isinstance(option, click.Option):
            continue
        record = option.get_help_record(context)
        assert record is not None
        assert option.help, option.opts
        if (
            option.default not in (None, (), False)
            and not option.is_flag
            and option.to_info_dict()["default"] is not None
        ):
            assert "default: " in record[1], option.opts


@every_command
def test_the_help_fits_a_terminal(command: click.Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    text = command.get_help(click.Context(command, info_name="vudissect", terminal_width=COLUMNS))

    assert max(map(len, text.splitlines())) <= COLUMNS
    # Nothing is left out of the list of subcommands.
    assert not any(line.endswith("...") for line in text.splitlines()[1:])


class TestSuggestions:
    """A mistyped word is answered with the one that was meant."""

    @pytest.mark.parametrize(
        ("line", "says"),
        [
            ("vudissect shwo x", "unknown command 'shwo': did you mean show? See vudissect --help."),
            ("vudissect qqq", "unknown command 'qqq': use show, "),
            ("vudissect wireshark instal", "unknown command 'instal': did you mean install?"),
            ("vudissect show --fitler x y", "unknown option --fitler: did you mean --filter?"),
            ("vudissect show --chanel main y", "unknown option --chanel: did you mean --channel?"),
            ("vuproxy --lisen a --connect b", "unknown option --lisen: did you mean --listen"),
            ("vudissect show --channel bakend y", "'bakend' is not one of main, backend, gpu; did you mean backend?"),
            (
                "vudissect show --from frontend y",
                "'frontend' is not one of front-end, back-end; did you mean front-end",
            ),
            ("vudissect show --format jsn y", "'jsn' is not one of text, json, "),
            ("vudissect lint --severity warn y", "did you mean warning?"),
            ("vudissect show --device bkl y", "unknown device type 'bkl'; did you mean blk?"),
            ("vudissect show --device toaster y", "unknown device type 'toaster'; known types: net, blk, "),
            ("vudissect show --dialect mst-2105 y", "unknown dialect 'mst-2105'; did you mean mst-2015?"),
            ("vudissect show -m SET_MEMTABLE y", "unknown message SET_MEMTABLE; did you mean SET_MEM_TABLE?"),
            ("vudissect messages get_feature", "unknown message 'get_feature'; did you mean GET_FEATURES"),
            ("vudissect rules enable-valu", "unknown rule 'enable-valu'; did you mean enable-value"),
            ("vudissect lint --ignore VU-VRG-O3 y", "VU-VRG-03"),
            ("vudissect show -Y rign=1 y", "unknown name rign; did you mean ring?"),
            ("vudissect show -Y vring.nmu=1 y", "unknown name vring.nmu; did you mean vring.num?"),
            ("vudissect show -Y features=VERSION1 y", "did you mean VERSION_1?"),
            ("vudissect show -Y SET_PROTOCOL_FEATURES.features=REPLYACK y", "did you mean REPLY_ACK?"),
            ("vudissect show -Y rule=VU-RPL-0 y", "did you mean VU-RPL-"),
            ("vudissect replay y --as front-end --connect b --allow GET_FEATURE", "did you mean GET_FEATURES?"),
            (
                "vudissect replay y --as front-end --connect b --allow GET_FEATURES.feature",
                "did you mean features?",
            ),
            ("vudissect check --list --only RGN", "did you mean RNG"),
        ],
    )
    def test_the_nearest_is_named(self, line: str, says: str) -> None:
        program, *words = line.split()
        words = [str(CAPTURE) if word == "y" else word for word in words]

        done = run_program(PROGRAMS[program], program, *words)

        assert done.returncode == 2
        assert says in done.stderr.decode()
        assert done.stderr.count(b"\n") == 1
