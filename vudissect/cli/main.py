"""The `vudissect` command. Subcommands are imported when they are called, so that `--help` is quick."""

import gc
from importlib import import_module
from typing import TYPE_CHECKING

import click

from vudissect import __version__
from vudissect.cli.errors import needs_linux
from vudissect.cli.program import ProgramGroup

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# Name, module in this package, and the line for --help; the command is the module's `command`.
_COMMANDS = {
    "show": ("show", "Show a capture, one line per message."),
    "summary": ("summary", "Print captures in short: the verdict, who, what, how it ended."),
    "lint": ("lint", "Report what is wrong in captures, and who is to blame."),
    "diff": ("diff", "Report what is different between two captures, and what causes what."),
    "report": ("report", "Write a capture as one HTML page, to attach to a bug report."),
    "times": ("times", "Report how long what took: answers, phases, reconnects, migrations."),
    "explain": ("explain", "Explain lines of a log, and what a capture shows about them."),
    "rules": ("rules", "Print the rules of the linter."),
    "state": ("state", "Print the state of the connections at a frame."),
    "rings": ("rings", "Show what was seen in the rings (vuproxy --rings)."),
    "replay": ("replay", "Play one side of a capture against a live peer."),
    "check": ("check", "Check a back-end or front-end: does it do what the specification says?"),
    "fuzz": ("fuzz", "Fuzz a back-end: what does it not survive?"),
    "attach": ("attach", "Record processes that already run, without restarting them."),
    "import": ("import_logs", "Create a capture from logs of strace or of other programs."),
    "bundle": ("bundle", "Open a bundle of vuproxy --bundle-on: why, and what it shows."),
    "export": ("export", "Export captures as tables: Parquet, CSV, JSON lines."),
    "query": ("query", "Run SQL on exported tables."),
    "filters": ("filters", "Explain the language of --filter, with examples."),
    "messages": ("messages", "Print the message table."),
    "dialects": ("dialects", "List the dialects of the protocol."),
    "compose": ("compose", "Create a capture from a conversation written as text."),
    "wireshark": ("wireshark", "Add vhost-user to Wireshark: plugin, profile, interface."),
    "demo": ("demo", "Record and show a small session; needs no other programs."),
}

# Commands that open sockets and pass descriptors.
_ON_LINUX_ONLY = {"attach", "check", "fuzz", "replay", "demo"}


class _LazyGroup(ProgramGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        if cmd_name in _ON_LINUX_ONLY:
            needs_linux()
        # What is imported stays. To look for garbage among it takes a tenth of the time of a short command.
        gc.disable()
        module = import_module(f"vudissect.cli.{_COMMANDS[cmd_name][0]}")
        gc.freeze()
        gc.enable()
        command: click.Command = module.command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        # Without importing all commands for their help.
        found = [
            CompletionItem(name, help=text) for name, (_, text) in _COMMANDS.items() if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    examples=[
        ("Record what passes between two programs", "vuproxy --listen front.sock --connect back.sock -w boot.pcapng"),
        ("What is wrong, and who is to blame", "vudissect lint boot.pcapng"),
        ("The session, one line per message", "vudissect show boot.pcapng"),
    ],
)
@click.version_option(__version__, prog_name="vudissect")
def main() -> None:
    """Explain the traffic between a vhost-user front-end and back-end.

    Record captures with vuproxy.
    """
