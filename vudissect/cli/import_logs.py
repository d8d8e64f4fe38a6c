"""`vudissect import`: a capture from logs of other programs."""

import os
from collections.abc import Iterator

import click

from vudissect import __version__
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.packet import MAX_MESSAGE
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE
from vudissect.cli.errors import clear_errors, fail, warn
from vudissect.cli.lines import lines_of
from vudissect.cli.written import refuse_terminal, write_capture, write_option
from vudissect.lint.words import count_text
from vudissect.sources.errors import SourceError
from vudissect.sources.imports import Imported, import_logs
from vudissect.sources.simpletrace import is_simpletrace, lines_of_trace


@click.command(
    "import",
    cls=Command,
    examples=[
        ("As a capture", "vudissect import boot.strace -w boot.pcapng"),
        ("Logs of both sides, as one capture", "vudissect import qemu.strace daemon.strace -w boot.pcapng"),
        ("What the rules think of it", "vudissect import boot.strace | vudissect lint -"),
    ],
)
@click.argument("files", type=FILE, nargs=-1, required=True, metavar="FILE...")
@write_option()
def command(files: tuple[str, ...], output: str) -> None:
    """Create a capture from logs of strace, of QEMU's traces, DPDK, libvhost-user or rust-vmm.

    Logs of strace of both sides of a session become one capture. What a log does not show is marked as unknown.
    docs/import.md has the options with which the programs show most.
    """
    refuse_terminal(output)
    with clear_errors(", ".join(files)):
        try:
            imported = import_logs([(file, _lines(file)) for file in files])
        except SourceError as error:
            fail(str(error))
    encoder = CaptureEncoder(f"vudissect {__version__}", f"imported from {', '.join(files)}", MAX_MESSAGE, 0)
    capture = encoder.preamble() + b"".join(map(encoder.record, imported.records))
    write_capture(output, capture)
    _report(imported)


def _lines(file: str) -> Iterator[str]:
    if file != "-" and os.path.isfile(file):
        with open(file, "rb") as stream:
            if is_simpletrace(stream.peek()):
                yield from lines_of_trace(stream.read())
                return
    yield from lines_of(file, "replace")


def _report(imported: Imported) -> None:
    connections = imported.connections
    seen = ", ".join(f"{count_text(connections.count(by), 'connection')} seen by {by}" for by in sorted({*connections}))
    warn(f"{count_text(imported.messages, 'message')}; {seen}")
    if imported.source != "strace":
        warn(f"a {imported.source} has no payloads: rules that need them are silent")
    elif imported.cut:
        warn(f"of {count_text(imported.cut, 'message')} only the beginning is known: use strace -xx -s 65536")
    if not imported.tracked:
        warn(
            "which descriptors are the same is unknown, as the log does not show when they are closed: "
            "use strace -e trace=desc"
        )
    if imported.unreadable:
        warn(f"{count_text(imported.unreadable, 'system call')} could not be read")
