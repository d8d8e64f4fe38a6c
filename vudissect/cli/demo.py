"""`vudissect demo`: record a small scripted session through a real vuproxy, and show it."""

import socket
import subprocess
import tempfile
import time
from pathlib import Path
from threading import Thread

import click

from vudissect.analysis import Analysis
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.cli.colour import color_option, output_style
from vudissect.cli.command import Command
from vudissect.cli.completion import FILE
from vudissect.cli.errors import clear_errors, fail
from vudissect.host.output import write_private
from vudissect.host.python import python_module
from vudissect.render.transcript import Transcript
from vudissect.replay.demo import BackEnd, front_end
from vudissect.replay.peer import PeerError

_SECONDS = 10
_STDOUT, _STDERR = 1, 2


@click.command(
    "demo",
    cls=Command,
    examples=[
        ("See what a session looks like", "vudissect demo"),
        ("Keep it, and look at it in Wireshark", "vudissect demo -w demo.pcapng && wireshark demo.pcapng"),
    ],
)
@click.option("-w", "--write", "keep", type=FILE, metavar="FILE", help="Keep the capture.")
@click.option("-v", "--verbose", is_flag=True, help="Every field of every message.")
@color_option
def command(keep: str | None, verbose: bool) -> None:
    """Run a scripted front-end and back-end through vuproxy, and show the session."""
    with clear_errors(keep or "demo"), tempfile.TemporaryDirectory(prefix="vudissect-") as folder:
        capture = _record(Path(folder))
        if keep is not None:
            write_private(keep, capture.read_bytes(), text_on=(_STDOUT, _STDERR))
        transcript = Transcript(output_style(), verbose=verbose)
        with open_capture(str(capture)) as stream:
            for event, findings in Analysis(read_capture(stream)):
                click.echo(transcript.text(event, findings), nl=False)
    click.echo(
        "\nThat was a scripted front-end and back-end, connected through a real vuproxy. With your own:\n"
        "  vuproxy --listen front.sock --connect back.sock -w boot.pcapng\n"
        "  vudissect show boot.pcapng",
        err=True,
    )


def _record(folder: Path) -> Path:
    front, back, capture = folder / "front.sock", folder / "back.sock", folder / "demo.pcapng"
    server = Thread(target=BackEnd(back).serve, daemon=True)
    server.start()
    arguments = ["--listen", str(front), "--connect", str(back), "-w", str(capture), "-q", "--once"]
    with subprocess.Popen(
        [*python_module("vudissect.cli.vuproxy"), *arguments], stderr=subprocess.PIPE, text=True
    ) as proxy:
        try:
            front_end(_connected(front, proxy))
            _, errors = proxy.communicate(timeout=_SECONDS)
        except (PeerError, OSError, subprocess.TimeoutExpired) as error:
            proxy.kill()
            fail(f"the demo failed: {error}")
    server.join(_SECONDS)
    if proxy.returncode:
        fail(f"vuproxy exited with status {proxy.returncode}: {errors.splitlines()[-1].strip()}")
    return capture


def _connected(path: Path, proxy: subprocess.Popen[str]) -> socket.socket:
    """A connection to the proxy, as soon as it listens."""
    until = time.monotonic() + _SECONDS
    while (sock := _dial(path)) is None:
        if proxy.poll() is not None:
            assert proxy.stderr is not None
            fail(f"vuproxy did not start: {proxy.stderr.read().strip()}")
        if time.monotonic() > until:
            fail("vuproxy did not start in time")
        time.sleep(0.01)
    return sock


def _dial(path: Path) -> socket.socket | None:
    """A connection, if the proxy listens; its socket has a path a moment earlier."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        sock.close()
        return None
    return sock
