"""The Debian releases that peers come from: the installed one, and another one in a tree of its own."""

import os
import shutil
from enum import Enum
from pathlib import Path

from tests.peers.processes import PeerError, program

_HERE = Path(__file__).parent
_CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
_TREE = Path(os.environ.get("VUDISSECT_TRIXIE") or _CACHES / "vudissect/trixie")
# The last two are not on the PATH: other programs usually start what is there.
_FOLDERS = ("usr/bin", "usr/sbin", "usr/libexec", "usr/lib/qemu")


class Release(Enum):
    """A Debian release; the value is its name."""

    BOOKWORM = "bookworm"
    TRIXIE = "trixie"

    @property
    def root(self) -> Path:
        """The root of its files."""
        return Path("/") if self is Release.BOOKWORM else _TREE

    @property
    def within(self) -> tuple[str, ...]:
        """The command that runs a program of this release, which it gets as arguments."""
        if self is Release.BOOKWORM:
            return ()
        return ("sh", os.fspath(_HERE / "inside.sh"), os.fspath(_TREE))

    def program(self, name: str, package: str) -> str:
        """The path of a program within the release; `PeerError` names its Debian package."""
        if self is Release.BOOKWORM:
            return program(name, package)
        folders = os.pathsep.join(os.fspath(_TREE / folder) for folder in _FOLDERS)
        path = shutil.which(name, path=folders)
        if path is None:
            raise PeerError(f"{name} ({package}) is not in {_TREE}; make the tree: sh tests/peers/trixie.sh")
        return f"/{Path(path).relative_to(_TREE)}"

    def kernel(self) -> Path:
        """The newest installed kernel for guests, relative to `root`."""
        kind, package = _KERNELS[self]
        kernels = sorted((self.root / "boot").glob(f"vmlinuz-*{kind}"), key=os.path.getmtime)
        if not kernels:
            raise PeerError(f"no kernel in {self.root / 'boot'}; on Debian: apt install {package}")
        return kernels[-1].relative_to(self.root)


# The cloud kernel has no GPU driver.
_KERNELS = {
    Release.BOOKWORM: ("-cloud-amd64", "linux-image-cloud-amd64"),
    Release.TRIXIE: ("-amd64", "linux-image-amd64"),
}
