"""`vudissect bundle`: what is in a bundle."""

import click

from vudissect.bundle.read import Bundle
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE
from vudissect.cli.errors import clear_errors
from vudissect.cli.output import say
from vudissect.render.units import printable


@click.command(
    cls=Command,
    examples=[
        ("Why was it made, and what does it show?", "vudissect bundle vm_bundle_20260131-120000.zip"),
        ("Its captures, like any other", "vudissect show vm_bundle_20260131-120000.zip"),
        ("Its files", "vudissect bundle vm_bundle_20260131-120000.zip --extract vm"),
    ],
)
@click.argument("file", type=FILE)
@click.option("-x", "--extract", "folder", metavar="FOLDER", help="Write all files of the bundle into this folder.")
def command(file: str, folder: str | None) -> None:
    """Open a bundle: print why it was made, its summary, and what it holds.

    vuproxy --bundle-on makes bundles. Commands that read captures also read the captures in a bundle.
    """
    with clear_errors(file), Bundle(file) as bundle:
        if folder is not None:
            for path in bundle.extract(folder):
                say(printable(path))
            return
        about = bundle.about
        redacted = ", ".join(f"{kind} ({count})" for kind, count in dict(about.get("redacted") or {}).items())
        lines = [
            f"reason      {about.get('reason', '?')}",
            f"made        {about.get('time', '?')} by vudissect {about.get('vudissect', '?')}",
            f"system      {about.get('system', '?')}",
            f"command     {about.get('command', '?')}",
            f"redacted    {redacted or ('nothing was found' if about.get('redaction') else 'NOTHING: --no-redaction')}",
            *(f"missing     {name}" for name in about.get("missing") or ()),
        ]
        say("\n".join(map(printable, lines)))
        say("\n" + "\n".join(map(printable, bundle.text("summary.txt").splitlines())))
        say("\n" + "\n".join(f"{'file':<12}{printable(name)}" for name in bundle.names))
