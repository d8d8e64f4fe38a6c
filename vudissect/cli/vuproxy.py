"""The `vuproxy` command."""

import sys
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from vudissect import __version__
from vudissect.cli.choices import OneOf
from vudissect.cli.colour import color_choice, color_option
from vudissect.cli.completion import FILE, files, groups, users
from vudissect.cli.devices import device_option
from vudissect.cli.errors import fail, needs_linux
from vudissect.cli.filters import filter_option
from vudissect.cli.numbers import LONGEST, SECONDS, Finite
from vudissect.cli.program import ProgramGroup
from vudissect.cli.rotation import ring_option
from vudissect.cli.run import command as run_command

if TYPE_CHECKING:
    from vudissect.filter import Filter
    from vudissect.protocol.model import Device
    from vudissect.proxy.rotation import Rotation


@click.group(
    cls=ProgramGroup,
    invoke_without_command=True,
    subcommand_metavar="[run ...]",
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
@click.option(
    "-w", "--write", "capture", type=FILE, metavar="FILE", help="Where to write the capture; - for standard output."
)
@ring_option
@click.option("--mode", metavar="OCTAL", help="The mode of the listening socket, such as 660; 600 without it.")
@click.option("--owner", metavar="USER", shell_complete=users, help="Give the listening socket to this user.")
@click.option("--group", metavar="GROUP", shell_complete=groups, help="Give the listening socket to this group.")
@click.option("-q", "--quiet", is_flag=True, help="No live transcript.")
@click.option("-v", "--verbose", is_flag=True, help="Every field of every message in the live transcript.")
@filter_option("Show only messages that match in the live transcript; everything is recorded")
@click.option("--once", is_flag=True, help="Exit after the first connection.")
@click.option(
    "--wait",
    metavar="SECONDS",
    type=SECONDS,
    default=30,
    help="How long to keep trying to connect to a side.",
)
@click.option(
    "--snaplen",
    metavar="BYTES",
    type=click.IntRange(12),
    default=65536,
    help="The most bytes of a message to record.",
)
@click.option(
    "--keep-keys", is_flag=True, help="Also record the keys of crypto sessions, which are otherwise replaced by zeros."
)
@click.option(
    "--rings",
    type=click.Choice(["indices", "requests"]),
    is_flag=False,
    flag_value="indices",
    help="Also look into the rings: indices and event counters, or also the header of the oldest pending request.",
)
@click.option(
    "--rings-interval",
    metavar="SECONDS",
    type=Finite(0.01, LONGEST),
    default=1.0,
    show_default=True,
    help="How often to look into all rings.",
)
@click.option(
    "--metrics",
    metavar="PLACE",
    help="Serve metrics in the OpenMetrics format at unix:PATH or 127.0.0.1:PORT, or write them to textfile:PATH.",
)
@click.option(
    "--ui",
    "page",
    is_flag=True,
    help="Serve the page of vudissect report live, at an address of this machine that is printed.",
)
@click.option(
    "--bundle-on",
    "triggers",
    metavar="TRIGGER",
    multiple=True,
    help="Make a bundle for a bug report on disconnect, finding:SEVERITY, finding:RULE, silence:SECONDS with a request "
    "open, or signal, SIGUSR1 (repeatable).",
)
@click.option(
    "--control", metavar="PATH", shell_complete=files, help='A socket for commands: "bundle REASON" makes a bundle.'
)
@click.option("--no-redaction", is_flag=True, help="Leave paths, names, keys and screen contents in bundles.")
@click.option(
    "--redact-addresses", is_flag=True, help="Also move the addresses of processes in bundles to other places."
)
@click.option(
    "--no-interpose", is_flag=True, help="Do not intercept the back-end and GPU channels; they are not recorded."
)
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
    capture: str | None,
    rotation: "Rotation | None",
    mode: str | None,
    owner: str | None,
    group: str | None,
    quiet: bool,
    verbose: bool,
    wanted: "Filter | None",
    once: bool,
    wait: float,
    snaplen: int,
    keep_keys: bool,
    rings: str | None,
    rings_interval: float,
    metrics: str | None,
    page: bool,
    triggers: tuple[str, ...],
    control: str | None,
    no_redaction: bool,
    redact_addresses: bool,
    no_interpose: bool,
    device: "Device | None",
    byte_order: str,
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
    from vudissect.proxy.metrics import parse_place
    from vudissect.proxy.program import run
    from vudissect.proxy.recording import Recording, RecordingError
    from vudissect.proxy.ring_observer import RingOptions
    from vudissect.proxy.shared import Settings
    from vudissect.proxy.triggers import Bundling

    if (listen and front_end) or (connect and back_end):
        fail("--listen and --front-end are alternatives, as are --connect and --back-end: use one of them")
    if not (listen or front_end) or not (connect or back_end):
        fail("both sides are required: --listen ADDRESS --connect ADDRESS, or --front-end and --back-end")
    if wanted is not None and (quiet or capture == "-"):
        fail(f"--filter is for the live transcript, which {'-q' if quiet else '-w -'} turns off: use one of them")
    if (triggers or control) and capture == "-":
        fail("--bundle-on and --control need a capture in a file, and -w - is standard output: use one of them")
    for option, is_given in (("--no-redaction", no_redaction), ("--redact-addresses", redact_addresses)):
        if is_given and not (triggers or control):
            fail(f"{option} is for bundles: use it with --bundle-on or --control")
    if no_redaction and redact_addresses:
        fail("--no-redaction and --redact-addresses contradict each other: use one of them")
    if triggers:
        from vudissect.bundle.trigger import TriggerError, from_words

        try:
            from_words(triggers)
        except TriggerError as error:
            fail(f"--bundle-on {error}")
    if rotation is not None and capture == "-":
        fail("-b writes several files, and -w - is standard output: use one of them")
    try:
        settings = Settings(
            parse_address(Role.LISTEN, listen) if listen else parse_side(front_end or ""),
            parse_address(Role.CONNECT, connect) if connect else parse_side(back_end or ""),
            once,
            wait,
            not no_interpose,
            "little" if byte_order == "little" else "big" if byte_order == "big" else None,
            device.name if device is not None else "",
            access=parse_access(mode, owner, group),
        )
        if not (settings.access.is_private or settings.listens_at_a_path):
            fail("--mode, --owner and --group are for a socket in the file system that vuproxy listens on: it has none")
        recording = Recording(
            capture,
            quiet,
            verbose,
            wanted.text if wanted is not None else "",
            snaplen,
            keep_keys,
            rings=RingOptions(rings == "requests", rings_interval) if rings else None,
            color=color_choice(),
            rotation=rotation,
            metrics=parse_place(metrics) if metrics is not None else None,
            page=page,
            bundling=Bundling(triggers, control or "", not no_redaction, redact_addresses)
            if triggers or control
            else None,
        )
        sys.exit(run([settings], recording))
    except (AccessError, AddressError, RecordingError, LimitError) as error:
        fail(str(error))


main.add_command(run_command)


if __name__ == "__main__":
    sys.argv[0] = "vuproxy"
    main(prog_name="vuproxy")
