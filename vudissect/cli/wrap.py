"""`vuproxy wrap`: a script that takes the place of an emulator whose command line somebody else writes."""

import os
import shutil
import sys

import click

from vudissect.cli.command import Command
from vudissect.cli.completion import FILE
from vudissect.cli.errors import fail
from vudissect.cli.output import write

_CONFIG = "/etc/vudissect/wrap.conf"


@click.command(
    "wrap",
    short_help="Make an emulator for libvirt that records.",
    cls=Command,
    examples=[
        (
            "For <emulator> in the XML of a domain",
            "vuproxy wrap /usr/bin/qemu-system-x86_64 > /usr/local/bin/qemu-recorded",
        ),
    ],
)
@click.argument("emulator", type=FILE)
@click.option("--config", type=FILE, metavar="FILE", default=_CONFIG, help="Where the script finds its configuration.")
def command(emulator: str, config: str) -> None:
    """Print a script that starts EMULATOR, with a recorder for its vhost-user sockets.

    libvirt and KubeVirt can use it in place of QEMU: make it executable, and name it as the <emulator> of a domain.
    Its configuration has FOLDER=/PATH for the captures, and may have OPTIONS=WORDS, options of vuproxy run. If
    nothing can be recorded, it starts EMULATOR as it is, and leaves a line in the log.
    """
    from vudissect.launch.wrapper import wrapper

    for path, what, example in (
        (emulator, "EMULATOR", "/usr/bin/qemu-system-x86_64"),
        (config, "--config", _CONFIG),
    ):
        if not os.path.isabs(path):
            fail(f"{path}: {what} must be a whole path, such as {example}")
    # That of this installation, whatever is on the PATH.
    vuproxy = shutil.which(os.path.join(os.path.dirname(sys.executable), "vuproxy")) or shutil.which("vuproxy")
    if vuproxy is None:
        fail("there is no vuproxy on the PATH that the script could use: install the package")
    write(iter([wrapper(emulator, os.path.abspath(vuproxy), config)]))
