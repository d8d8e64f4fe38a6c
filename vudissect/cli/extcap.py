"""The extcap program for the interface "vhost-user proxy" in Wireshark: vuproxy with Wireshark's command line."""

import os
import select
import stat
import sys

import click

from vudissect import __version__
from vudissect.cli.errors import fail, needs_linux
from vudissect.cli.numbers import SECONDS
from vudissect.cli.program import Program
from vudissect.wireshark.extcap import INTERFACE, LAUNCHER, form, interfaces, link_types

_STDOUT = 1
_ROLES = click.Choice(["listen", "connect"])


@click.command(cls=Program)
@click.option("--extcap-interfaces", "ask_interfaces", is_flag=True, help="Print the interfaces.")
@click.option("--extcap-version", metavar="VERSION", help="The version of Wireshark; ignored.")
@click.option("--extcap-interface", "interface", metavar="NAME", help="The interface to use.")
@click.option("--extcap-dlts", "ask_link_types", is_flag=True, help="Print its link type.")
@click.option("--extcap-config", "ask_form", is_flag=True, help="Print the form of its options.")
@click.option(
    "--extcap-capture-filter", "selection", metavar="FILTER", help="Refuse it: capture filters are not supported."
)
@click.option("--capture", is_flag=True, help="Capture.")
@click.option("--fifo", metavar="PATH", help="The named pipe to write to.")
@click.option("--front-end", metavar="ADDRESS", help="Where the front-end is.")
@click.option("--front-end-role", type=_ROLES, default="listen", help="Wait for it, or connect to it.")
@click.option("--back-end", metavar="ADDRESS", help="Where the back-end is.")
@click.option("--back-end-role", type=_ROLES, default="connect", help="Wait for it, or connect to it.")
@click.option("--once", is_flag=True, help="End after the first connection.")
@click.option("--wait", metavar="SECONDS", type=SECONDS, default=30.0)
@click.option("--snaplen", metavar="BYTES", type=click.IntRange(12), default=65536)
@click.option("--no-interpose", is_flag=True, help="Do not intercept the back-end and GPU channels.")
@click.option("--byte-order", type=click.Choice(["auto", "little", "big"]), default="auto")
@click.version_option(__version__, prog_name="vudissect-extcap")
def main(
    ask_interfaces: bool,
    extcap_version: str | None,
    interface: str | None,
    ask_link_types: bool,
    ask_form: bool,
    selection: str | None,
    capture: bool,
    fifo: str | None,
    front_end: str | None,
    front_end_role: str,
    back_end: str | None,
    back_end_role: str,
    once: bool,
    wait: float,
    snaplen: int,
    no_interpose: bool,
    byte_order: str,
) -> None:
    """The extcap program that Wireshark and tshark call; users run vuproxy."""
    if ask_interfaces:
        click.echo(interfaces(__version__), nl=False)
        return
    if interface != INTERFACE:
        fail(f"unknown interface {interface or ''!r}, there is only {INTERFACE}: this program is called by Wireshark")
    if ask_link_types:
        click.echo(link_types(), nl=False)
    elif ask_form:
        click.echo(form(), nl=False)
    elif capture:
        _open(fifo)
        if selection:
            fail("there are no capture filters for vhost-user: leave it empty and use a display filter")
        if not front_end or not back_end:
            fail("both sides are required: set the sockets of the front-end and of the back-end in the options")
        front_end, back_end = f"{front_end_role}:{front_end}", f"{back_end_role}:{back_end}"
        _capture(front_end, back_end, once, wait, snaplen, not no_interpose, byte_order)
    elif selection:
        # Wireshark shows this output as the error of the filter.
        click.echo("There are no capture filters for vhost-user.")
    else:
        fail("this program is called by Wireshark; to record a session use vuproxy")


def _open(fifo: str | None) -> None:
    """Make the named pipe standard output; wait until Wireshark has opened its end.

    This comes before everything that can fail: Wireshark waits forever for a pipe that is never opened.
    """
    if not fifo:
        fail("--capture needs a named pipe: --fifo PATH")
    try:
        pipe = os.open(fifo, os.O_WRONLY | os.O_NOFOLLOW)
    except OSError as error:
        fail(f"{fifo}: {error.strerror}")
    if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
        fail(f"{fifo}: not a named pipe, which Wireshark creates")
    os.dup2(pipe, _STDOUT)
    os.close(pipe)


def _capture(
    front_end: str,
    back_end: str,
    once: bool,
    wait: float,
    snaplen: int,
    interpose: bool,
    byte_order: str,
) -> None:
    needs_linux()
    # Imported here because Wireshark queries the interface at every start, and that should be quick.
    from vudissect.host.address import AddressError, parse_side
    from vudissect.host.limits import LimitError
    from vudissect.proxy.program import run
    from vudissect.proxy.recording import Recording, RecordingError
    from vudissect.proxy.shared import Settings

    lines: list[str] = []
    recording = Recording("-", quiet=True, snaplen=snaplen, while_read=True, program=LAUNCHER)
    try:
        pair = Settings(
            parse_side(front_end),
            parse_side(back_end),
            once,
            wait,
            interpose,
            "little" if byte_order == "little" else "big" if byte_order == "big" else None,
        )
        status = run([pair], recording, lines.append)
    except (AddressError, RecordingError, LimitError) as error:
        fail(str(error))
    if status and not _nobody_reads():
        # Wireshark shows standard error, which ends with the summary.
        fail(lines[-2])


def _nobody_reads() -> bool:
    """Whether Wireshark ended the capture by closing the pipe: then nothing was lost."""
    pipe = select.poll()
    pipe.register(_STDOUT, 0)
    return bool(pipe.poll(0))


if __name__ == "__main__":
    # The name in error messages.
    sys.argv[0] = LAUNCHER
    main()
