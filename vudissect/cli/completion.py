"""What a shell offers when a word is completed: files, and the names that vudissect knows.

The tables are imported only when one of their words is completed.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


class FileName(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    """The path of a file, which shells complete; it is opened where it is used."""

    name = "file"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        """Leave it to the shell."""
        return files(ctx, param, incomplete)


FILE = FileName()


def files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Let the shell complete the path of a file."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def rules(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Ids, names and families of the rules of the linter."""
    from vudissect.lint.rules import ALL_RULES

    families = {rule.id.rpartition("-")[0]: "all of this family" for rule in ALL_RULES}
    ids = {rule.id: rule.name for rule in ALL_RULES}
    names = {rule.name: rule.id for rule in ALL_RULES}
    return _starting_with(incomplete, families | ids | names)


def messages(context: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Names of messages: of the dialect that is given, or of all."""
    from vudissect.protocol.dialects import DIALECTS, dialect_by_name

    chosen = dialect_by_name(str(context.params.get("dialect") or ""))
    rows = [row for dialect in ([chosen] if chosen else DIALECTS) for row in dialect.protocol.messages]
    return _starting_with(incomplete, {row.name: "" for row in rows})


def dialects(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Names of dialects."""
    from vudissect.protocol.dialects import DIALECTS

    return _starting_with(incomplete, {dialect.key: dialect.title for dialect in DIALECTS})


def devices(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Types of devices."""
    from vudissect.protocol.devices import DEVICES

    return _starting_with(incomplete, {device.name: "" for device in DEVICES})


def _starting_with(incomplete: str, names: Mapping[str, str]) -> "list[CompletionItem]":
    """The names, with what zsh and fish print next to them."""
    from click.shell_completion import CompletionItem

    wanted = incomplete.lower()
    return [CompletionItem(name, help=text or None) for name, text in names.items() if name.lower().startswith(wanted)]


def users(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Users of this system."""
    import pwd

    return _starting_with(incomplete, {user.pw_name: user.pw_gecos for user in pwd.getpwall()})


def groups(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Groups of this system."""
    import grp

    return _starting_with(incomplete, {group.gr_name: "" for group in grp.getgrall()})
