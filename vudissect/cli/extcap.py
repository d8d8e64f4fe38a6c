"""The program behind the interface "vhost-user proxy" in Wireshark: vuproxy, as Wireshark wants to start it."""

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


@click.command(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--extcap-interfaces", "ask_interfaces", is_flag=True, help="Print the interfaces.")
@click.option("--extcap-version", metavar="VERSION", help="The version of Wireshark that asks; makes no difference.")
@click.option("--extcap-interface", "interface", metavar="NAME", help="The interface that is meant.")
@click.option("--extcap-dlts", "ask_link_types", is_flag=True, help="Print its link type.")
@click.option("--extcap-config", "ask_form", is_flag=True, help="Print the form of its options.")
@click.option("--extcap-capture-filter", "selection", metavar="FILTER", help="There is none; say so.")
@click.option("--capture", is_flag=True, help="Capture.")
@click.option("--fifo", metavar="PATH", help="The named pipe to write to.")
@click.option("--front-end", metavar="ADDRESS", help="Where the front-end is.")
@click.option("--front-end-role", type=_ROLES, default="listen", help="Wait for it, or call it.")
@click.option("--back-end", metavar="ADDRESS", help="Where the back-end is.")
@click.option("--back-end-role", type=_ROLES, default="connect", help="Wait for it, or call it.")
@click.option("--once", is_flag=True, help="End after the first connection.")
@click.option("--wait", metavar="SECONDS", type=SECONDS, default=30.0)
@click.option("--snaplen", metavar="BYTES", type=click.IntRange(12), default=65536)
@click.option("--no-interpose", is_flag=True, help="Leave the back-end and GPU channels alone.")
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
    """Be an extcap program, as Wireshark and tshark call it; people call vuproxy."""
    if ask_interfaces:
        click.echo(interfaces(__version__), nl=False)
        return
    if interface != INTERFACE:
        fail(f"there is no interface {interface or ''!r}, only {INTERFACE}: this program is for Wireshark to call")
    if ask_link_types:
        click.echo(link_types(), nl=False)
    elif ask_form:
        click.echo(form(), nl=False)
    elif capture:
        _open(fifo)
        if selection:
            fail("there are no capture filters for vhost-user: leave it empty and use a display filter")
        if not front_end or not back_end:
            fail("say where both sides are: set the sockets of the front-end and of the back-end in the options")
        front_end, back_end = f"{front_end_role}:{front_end}", f"{back_end_role}:{back_end}"
        _capture(front_end, back_end, once, wait, snaplen, not no_interpose, byte_order)
    elif selection:
        # Wireshark takes what is printed for what is wrong with the filter.
        click.echo("There are no capture filters for vhost-user.")
    else:
        fail("this program is for Wireshark to call; to record a session use vuproxy")


def _open(fifo: str | None) -> None:
    """Make the named pipe standard output; waits until Wireshark has opened its end.

    This comes before all else that can fail: Wireshark waits for ever for a pipe that nobody opens.
    """
    if not fifo:
        fail("--capture wants a named pipe: --fifo PATH")
    try:
        pipe = os.open(fifo, os.O_WRONLY | os.O_NOFOLLOW)
    except OSError as error:
        fail(f"{fifo}: {error.strerror}")
    if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
        fail(f"{fifo}: is not a named pipe: Wireshark makes one")
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
    # Here, so that Wireshark, which asks at every start, gets its answers quickly.
    from vudissect.host.address import AddressError, parse_side
    from vudissect.host.limits import LimitError
    from vudissect.proxy.program import Recording, RecordingError, run
    from vudissect.proxy.shared import Settings

    told: list[str] = []
    recording = Recording("-", quiet=True, snaplen=snaplen, while_read=True, program=LAUNCHER)
    try:
        settings = Settings(
            parse_side(front_end),
            parse_side(back_end),
            once,
            wait,
            interpose,
            "little" if byte_order == "little" else "big" if byte_order == "big" else None,
        )
        status = run(settings, recording, told.append)
    except (AddressError, RecordingError, LimitError) as error:
        fail(str(error))
    if status and not _nobody_reads():
        # Wireshark shows what stands on standard error; the last thing told is the summary.
        fail(told[-2])


def _nobody_reads() -> bool:
    """Whether Wireshark has ended the capture by closing the pipe: what was lost then is no loss."""
    pipe = select.poll()
    pipe.register(_STDOUT, 0)
    return bool(pipe.poll(0))


if __name__ == "__main__":
    # The name that people know it by, for what it says of errors.
    sys.argv[0] = LAUNCHER
    main()
