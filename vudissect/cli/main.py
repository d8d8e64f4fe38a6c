"""The `vudissect` command: its subcommands are imported when they are called, so that `--help` is quick."""

from importlib import import_module

import click

from vudissect import __version__
from vudissect.cli.errors import needs_linux
from vudissect.cli.program import ProgramGroup

# Name, module beside this file, and the line for --help; the module's function `command` is the command.
_COMMANDS = {
    "show": ("show", "Explain a capture, one line a message."),
    "lint": ("lint", "Say what is wrong in captures, and who is to blame."),
    "explain": ("explain", "Say what lines of a log mean, and what a capture shows of it."),
    "rules": ("rules", "Print the rules of the linter."),
    "state": ("state", "Print the state of the connections at a frame."),
    "replay": ("replay", "Play one side of a capture against a live peer."),
    "check": ("check", "Check a back-end for conformance: does it do what the specification says?"),
    "filters": ("filters", "Explain the language of --filter, with examples."),
    "messages": ("messages", "Print the message table."),
    "dialects": ("dialects", "List the dialects of the protocol."),
    "compose": ("compose", "Make a capture from a conversation written as text."),
    "wireshark": ("wireshark", "Add a plugin, a profile and the proxy as an interface to Wireshark."),
    "demo": ("demo", "Record and explain a small session; needs nothing installed."),
}

# What opens sockets and passes descriptors.
_ON_LINUX_ONLY = {"check", "replay", "demo"}


class _LazyGroup(ProgramGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        if cmd_name in _ON_LINUX_ONLY:
            needs_linux()
        module = import_module(f"vudissect.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vudissect")
def main() -> None:
    """Explain what a vhost-user front-end and back-end said to each other.

    Captures are made with vuproxy.
    """
