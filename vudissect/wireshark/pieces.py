"""What goes into the folders of Wireshark beside the plugin: the interface "vhost-user proxy" and the profile."""

import re
from pathlib import Path
from typing import Final, NamedTuple

from vudissect.wireshark import profile
from vudissect.wireshark.extcap import LAUNCHER, launcher

MARK: Final = "vudissect"
"""What stands in the first lines of everything that was put there, and by which it is known again."""

_LINES_WITH_MARK: Final = 2


class Piece(NamedTuple):
    """A file to install. One that is in its place already is ours if it bears the mark."""

    path: Path
    text: str
    executable: bool = False

    def is_ours(self) -> bool:
        """Whether the file in its place was installed and not written by somebody else, or rewritten by Wireshark."""
        with self.path.open(encoding="utf-8", errors="replace") as file:
            return any(MARK in line for _, line in zip(range(_LINES_WITH_MARK), file, strict=False))


def pieces(folders: str, python: str) -> tuple[Piece, ...]:
    """What to install where, by what `tshark -G folders` prints; `python` is the interpreter that has vudissect.

    Before 4.2 Wireshark looks for interfaces of one's own beside the preferences, and does not list that folder.
    """
    known = dict(re.findall(r"^(.*?):\s+(.*)$", folders, re.MULTILINE))
    configuration = Path(known["Personal configuration"])
    extcap = Path(known.get("Personal Extcap path", configuration / "extcap"))
    return (
        Piece(extcap / LAUNCHER, launcher(python), executable=True),
        *(Piece(configuration / "profiles" / profile.NAME / name, text) for name, text in profile.files().items()),
    )
