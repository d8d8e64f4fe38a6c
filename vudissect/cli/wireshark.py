"""`vudissect wireshark`: what vudissect adds to Wireshark, into its folders and out of them again."""

import subprocess
import sys
from contextlib import suppress

import click

from vudissect.cli.errors import clear_errors, fail
from vudissect.wireshark.pieces import Piece, is_ours, pieces


@click.group("wireshark")
def command() -> None:
    """Add vhost-user to Wireshark: a plugin, a profile, and the proxy as an interface."""


@command.command()
@click.option("--force", is_flag=True, help="Also replace files that are not ours.")
def install(force: bool) -> None:
    """Put the plugin, the profile and the interface into your folders of Wireshark."""
    with clear_errors("wireshark"):
        wanted = [(piece, piece.present()) for piece in _pieces()]
        changed = {piece for piece, text in wanted if text is not None and not is_ours(text)} if not force else set()
        strange = next((piece for piece in changed if not piece.personal), None)
        if strange is not None:
            fail(f"{strange.path} is there and is not of vudissect: --force replaces it")
        for piece, before in wanted:
            if piece in changed:
                click.echo(f"left alone  {piece.path}: changed since; --force replaces it")
            elif before == piece.text:
                click.echo(f"up to date  {piece.path}")
            else:
                piece.write()
                click.echo(f"{'installed ' if before is None else 'replaced  '}  {piece.path}")
    click.echo("Start Wireshark anew; its profile vhost-user has columns and colors: wireshark -C vhost-user", err=True)


@command.command()
def uninstall() -> None:
    """Remove what install has put there, and nothing else."""
    with clear_errors("wireshark"):
        for piece in _pieces():
            text = piece.present()
            if text is None:
                continue
            if not is_ours(text):
                click.echo(f"left alone  {piece.path}: it was changed or is not of vudissect")
                continue
            piece.path.unlink()
            click.echo(f"removed     {piece.path}")
            with suppress(OSError):
                # The folder of the profile, or of the plugin, if nothing else is in it.
                piece.path.parent.rmdir()


@command.command()
def path() -> None:
    """Print where everything goes."""
    for piece in _pieces():
        click.echo(piece.path)


def _pieces() -> tuple[Piece, ...]:
    try:
        listing = subprocess.run(["tshark", "-G", "folders"], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        fail("tshark is not installed, and knows where Wireshark looks for plugins: apt-get install tshark")
    except subprocess.CalledProcessError as error:
        fail(f"tshark -G folders ended with status {error.returncode}: {error.stderr.strip()}")
    return pieces(listing, sys.executable)
