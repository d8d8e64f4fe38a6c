"""Make the captures of this folder anew: python captures/make.py [NAME…], all of them without a name.

Each is recorded by `vuproxy` between real programs, by the code that the tests run (tests/peers/situations.py). A
name tells the versions of the programs, so a capture of other versions needs another name and another row here.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from tests.peers.processes import PeerError, program  # noqa: E402
from tests.peers.situations import disk, file_system, iommu, virtio_user_dials, virtio_user_listens  # noqa: E402

# Enough packets to see what happens, few enough for a file under version control.
_PACKETS = 180

_RECORDING = "recorded.pcapng"


class Program(NamedTuple):
    """A program, the Debian package that has it, what makes it tell its version, and what it must then say."""

    name: str
    package: str
    options: tuple[str, ...]
    version: str


_QEMU = Program("qemu-system-x86_64", "qemu-system-x86", ("--version",), "QEMU emulator version 7.2.")
_DPDK = Program("dpdk-testpmd", "dpdk-dev", ("-v", "--no-pci", "--no-huge", "--", "--help"), "DPDK 22.11.")

CAPTURES: dict[str, tuple[Callable[[Path, Path], object], tuple[Program, ...]]] = {
    "qemu-7.2-blk-qsd": (disk, (_QEMU,)),
    "qemu-7.2-fs-virtiofsd": (file_system, (_QEMU,)),
    "qemu-7.2-net-iommu-dpdk-22.11": (partial(iommu, packets=_PACKETS), (_QEMU, _DPDK)),
    "dpdk-22.11-virtio-user-vhost": (virtio_user_dials, (_DPDK,)),
    "dpdk-22.11-virtio-user-server-vhost-client": (virtio_user_listens, (_DPDK,)),
}


def make(name: str) -> Path:
    """Record one capture; the file of that name is replaced once all has gone well."""
    situation, programs = CAPTURES[name]
    for needed in programs:
        check_version(needed)
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder, _RECORDING)
        situation(recording.parent, recording)
        return Path(shutil.copyfile(recording, FOLDER / f"{name}.pcapng"))


def check_version(needed: Program) -> None:
    """`PeerError` unless the program is there in the version that the capture's name tells."""
    command = [program(needed.name, needed.package), *needed.options]
    said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
    if needed.version not in said:
        raise PeerError(f"{needed.name} is not {needed.version}*: name its capture after its own version")


def main(names: list[str]) -> int:
    """Make the captures of these names, or all; the exit status."""
    unknown = [name for name in names if name not in CAPTURES]
    if unknown:
        print(f"no capture is called {unknown[0]!r}; there are {', '.join(CAPTURES)}", file=sys.stderr)
        return 2
    for name in names or CAPTURES:
        try:
            print(make(name))
        except PeerError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main([Path(name).name.removesuffix(".pcapng") for name in sys.argv[1:]]))
