"""The `vuproxy` command."""

import sys
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from vudissect import __version__
from vudissect.cli.choices import OneOf
from vudissect.cli.colour import color_choice, color_option
from vudissect.cli.completion import files, groups, users
from vudissect.cli.devices import device_option
from vudissect.cli.errors import fail, needs_linux
from vudissect.cli.filters import filter_option
from vudissect.cli.program import ProgramGroup
from vudissect.cli.recording import Asked, recording_options
from vudissect.cli.run import command as run_command
from vudissect.cli.wrap import command as wrap_command

if TYPE_CHECKING:
    from vudissect.filter import Filter
    from vudissect.protocol.model import Device


@click.group(
    cls=ProgramGroup,
    invoke_without_command=True,
    subcommand_metavar="[run|wrap ...]",
    examples=[
        (
            "Between QEMU, which connects, and a back-end that listens",
            "vuproxy --listen front.sock --connect back.sock -w boot.pcapng",
        ),
        (
            "QEMU listens, Open vSwitch connects",
            "vuproxy --front-end connect:qemu.sock --back-end listen:ovs.sock",
        ),
        (
            "QEMU runs as another user",
            "vuproxy --listen front.sock --connect back.sock --group kvm --mode 660",
        ),
        ("Live in Wireshark", "vuproxy --listen a.sock --connect b.sock -w - | wireshark -k -i -"),
        (
            "For weeks, in at most 64 MB: the newest files are kept",
            "vuproxy -q --listen a.sock --connect b.sock -b filesize:8M -b files:8",
        ),
        (
            "A file for a bug report as soon as something is wrong",
            "vuproxy --listen a.sock --connect b.sock --bundle-on finding:error",
        ),
        (
            "Numbers for Prometheus",
            "vuproxy -q --listen a.sock --connect b.sock --metrics 127.0.0.1:9100",
        ),
        ("Watch a session in a browser", "vuproxy -q --listen a.sock --connect b.sock --ui"),
        ("Start QEMU and record all its vhost-user sockets", "vuproxy run -- qemu-system-x86_64 -readconfig vm.cfg"),
        (
            "Lose the message that enables a ring",
            "vuproxy --listen a.sock --connect b.sock --fault 'SET_VRING_ENABLE : drop'",
        ),
        ("Show only the slow answers", "vuproxy --listen a.sock --connect b.sock --filter 'latency>100ms'"),
    ],
)
@click.option(
    "--listen",
    metavar="ADDRESS",
    shell_complete=files,
    help="Where the front-end connects: --front-end listen:ADDRESS.",
)
@click.option(
    "--connect", metavar="ADDRESS", shell_complete=files, help="Where the back-end listens: --back-end connect:ADDRESS."
)
@click.option("--front-end", metavar="ROLE:ADDRESS", help="listen: wait for the front-end; connect: connect to it.")
@click.option("--back-end", metavar="ROLE:ADDRESS", help="listen: wait for the back-end; connect: connect to it.")
@recording_options
@click.option("--mode", metavar="OCTAL", help="The mode of the listening socket, such as 660; 600 without it.")
@click.option("--owner", metavar="USER", shell_complete=users, help="Give the listening socket to this user.")
@click.option("--group", metavar="GROUP", shell_complete=groups, help="Give the listening socket to this group.")
@click.option("-q", "--quiet", is_flag=True, help="No live transcript.")
@click.option("-v", "--verbose", is_flag=True, help="Every field of every message in the live transcript.")
@filter_option("Show only messages that match in the live transcript; everything is recorded")
@click.option("--once", is_flag=True, help="Exit after the first connection.")
@device_option("The device type (blk, net, fs, ...), which is recorded in the capture.")
@click.option(
    "--byte-order",
    type=OneOf(["auto", "little", "big"]),
    default="auto",
    help="auto: found out from the first message.",
)
@color_option
@click.version_option(__version__, prog_name="vuproxy")
@click.pass_context
def main(
    ctx: click.Context,
    listen: str | None,
    connect: str | None,
    front_end: str | None,
    back_end: str | None,
    mode: str | None,
    owner: str | None,
    group: str | None,
    quiet: bool,
    verbose: bool,
    wanted: "Filter | None",
    once: bool,
    device: "Device | None",
    byte_order: str,
    asked: Asked,
) -> None:
    """Sit between a vhost-user front-end and its back-end, and show and record their messages.

    An ADDRESS is a path, @NAME for an abstract socket, or fd:NUMBER for an inherited one. Whoever connects to a
    listening path needs write permission: see --mode. An abstract socket has no mode: every user of this network
    namespace can connect to it.

    Without -w the capture is vuproxy-DATE-TIME.pcapng; an existing file is replaced. With -w - there is no live
    transcript.
    """
    if ctx.invoked_subcommand is not None:
        given = [name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
        if given:
            fail(f"options before {ctx.invoked_subcommand} are not for it: write them after it")
        return
    needs_linux()
    # Imported here so that --help is quick.
    from vudissect.host.access import AccessError, parse_access
    from vudissect.host.address import AddressError, Role, parse_address, parse_side
    from vudissect.host.limits import LimitError
    from vudissect.proxy.program import run
    from vudissect.proxy.recording import RecordingError
    from vudissect.proxy.shared import Settings

    if (listen and front_end) or (connect and back_end):
        fail("--listen and --front-end are alternatives, as are --connect and --back-end: use one of them")
    if not (listen or front_end) or not (connect or back_end):
        fail("both sides are required: --listen ADDRESS --connect ADDRESS, or --front-end and --back-end")
    if wanted is not None and (quiet or asked.capture == "-"):
        fail(f"--filter is for the live transcript, which {'-q' if quiet else '-w -'} turns off: use one of them")
    try:
        settings = Settings(
            parse_address(Role.LISTEN, listen) if listen else parse_side(front_end or ""),
            parse_address(Role.CONNECT, connect) if connect else parse_side(back_end or ""),
            once,
            asked.wait,
            not asked.no_interpose,
            "little" if byte_order == "little" else "big" if byte_order == "big" else None,
            device.name if device is not None else "",
            access=parse_access(mode, owner, group),
        )
        if not (settings.access.is_private or settings.listens_at_a_path):
            fail("--mode, --owner and --group are for a socket in the file system that vuproxy listens on: it has none")
        recording = asked.recording(
            quiet=quiet,
            verbose=verbose,
            shown=wanted.text if wanted is not None else "",
            color=color_choice(),
        )
        sys.exit(run([settings], recording))
    except (AccessError, AddressError, RecordingError, LimitError) as error:
        fail(str(error))


main.add_command(run_command)
main.add_command(wrap_command)


if __name__ == "__main__":
    sys.argv[0] = "vuproxy"
    main(prog_name="vuproxy")
