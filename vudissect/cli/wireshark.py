"""`vudissect wireshark`: install what vudissect adds to Wireshark into its folders, and remove it."""

import subprocess
import sys
from contextlib import suppress

import click

from vudissect.analysis import Analysis
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.cli.command import Command, Group
from vudissect.cli.completion import FILE, dialects
from vudissect.cli.devices import device_option
from vudissect.cli.errors import FINDINGS, clear_errors, fail
from vudissect.cli.known import known_dialect
from vudissect.cli.output import say
from vudissect.cli.reading import conclude
from vudissect.protocol.model import Device
from vudissect.protocol.table import UPSTREAM
from vudissect.render.units import printable
from vudissect.wireshark.check import CheckError, compare, tshark_frames
from vudissect.wireshark.expected import expected
from vudissect.wireshark.generate import plugin
from vudissect.wireshark.pieces import Piece, pieces


@click.group(
    "wireshark",
    cls=Group,
    examples=[
        ("Install all of it", "vudissect wireshark install"),
        ("Look at a capture with it", "wireshark -C vhost-user boot.pcapng"),
    ],
)
def command() -> None:
    """Add vhost-user to Wireshark: a plugin, a profile, and the proxy as an interface."""


@command.command(cls=Command, examples=[("Once, for your user", "vudissect wireshark install")])
@click.option(
    "--force",
    is_flag=True,
    help="Also replace files that were changed or are not from vudissect; they are kept under another name.",
)
def install(force: bool) -> None:
    """Install it all into your Wireshark folders."""
    with clear_errors("wireshark"):
        wanted = [(piece, piece.present()) for piece in _pieces()]
        changed = {piece for piece, text in wanted if text not in (None, piece.text) and not piece.is_ours(text or "")}
        strange = next((piece for piece in changed if not piece.personal), None)
        if strange is not None and not force:
            fail(f"{strange.path} exists and is not from vudissect: --force replaces it")
        for piece, before in wanted:
            if piece in changed and not force:
                say(f"left alone  {piece.path}: it was changed; --force replaces it")
            elif before == piece.text:
                say(f"up to date  {piece.path}")
            else:
                kept = f"; the one before is {piece.set_aside().name}" if piece in changed else ""
                piece.write()
                say(f"{'installed ' if before is None else 'replaced  '}  {piece.path}{kept}")
    click.echo("Restart Wireshark; its profile vhost-user has columns and colors: wireshark -C vhost-user", err=True)


@command.command(cls=Command, examples=[("Remove all of it", "vudissect wireshark uninstall")])
def uninstall() -> None:
    """Remove what install added, and nothing else."""
    with clear_errors("wireshark"):
        for piece in _pieces():
            text = piece.present()
            if text is None:
                continue
            if not piece.is_ours(text):
                say(f"left alone  {piece.path}: it was changed or is not from vudissect")
                continue
            piece.path.unlink()
            say(f"removed     {piece.path}")
            with suppress(OSError):
                # The folder of the profile, or of the plugin, if nothing else is in it.
                piece.path.parent.rmdir()


@command.command(cls=Command, examples=[("Where the files are", "vudissect wireshark path")])
def path() -> None:
    """Print the paths of all files."""
    for piece in _pieces():
        say(printable(str(piece.path)))


@command.command(
    cls=Command, examples=[("For a machine without vudissect", "vudissect wireshark generate > vhost_user.lua")]
)
def generate() -> None:
    """Print the plugin, generated from the message table."""
    with clear_errors("wireshark"):
        sys.stdout.write(plugin())


@command.command(
    cls=Command, examples=[("Check that Wireshark shows the same", "vudissect wireshark check boot.pcapng")]
)
@click.argument("file", type=FILE)
@click.option(
    "--dialect", metavar="NAME", default=UPSTREAM.key, shell_complete=dialects, help="The dialect for both sides."
)
@device_option("The device type for both sides, instead of a guess.")
def check(file: str, dialect: str, device: Device | None) -> None:
    """Compare the plugin with vudissect on a capture.

    Every field of every frame in FILE is compared, as tshark shows it.
    """
    speaks = known_dialect(dialect)
    options = ["-o", f"vhost_user.dialect:{speaks.key}"]
    options += ["-o", f"vhost_user.device:{device.name}"] if device is not None else []
    frames = fields = different = 0
    with clear_errors(file), open_capture(file) as stream:
        analysis = Analysis(read_capture(stream), device=device, dialect=speaks, rules=())
        events = (event for event, _ in analysis)
        try:
            for event, differences in compare(tshark_frames(file, *options), events, printable):
                frames += 1
                fields += sum(1 for _ in expected(event))
                different += len(differences)
                for difference in differences:
                    ours, theirs = (", ".join(map(str, values)) or "none" for values in difference[2:])
                    say(f"#{difference.frame} {difference.field}: ours {ours}, tshark's {theirs}")
        except CheckError as error:
            if analysis.records.truncated is None:
                fail(f"{file}: {error}")
            # For a file that is cut off tshark reports the same, after its last frame.
    say(f"{printable(file)}: {frames} frames, {fields} fields, {different or 'none'} different")
    conclude(file, analysis.records)
    if different:
        raise SystemExit(FINDINGS)


def _pieces() -> tuple[Piece, ...]:
    try:
        listing = subprocess.run(
            ["tshark", "-G", "folders"], capture_output=True, text=True, errors="surrogateescape", check=True
        ).stdout
    except FileNotFoundError:
        fail("tshark is needed to find the folders of Wireshark, but is not installed: apt-get install tshark")
    except subprocess.CalledProcessError as error:
        fail(f"tshark -G folders exited with status {error.returncode}: {error.stderr.strip()}")
    return pieces(listing, sys.executable)
