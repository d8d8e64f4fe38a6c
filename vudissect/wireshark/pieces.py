"""The files for Wireshark's folders: the plugin, the interface "vhost-user proxy" and the profile."""

import os
import re
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

from vudissect.wireshark import profile
from vudissect.wireshark.extcap import LAUNCHER, launcher
from vudissect.wireshark.generate import NAME, plugin

_MARK: Final = "vudissect"
_LINES_WITH_MARK: Final = 2


class Piece(NamedTuple):
    """A file to install. Wireshark rewrites `personal` ones when users change their settings."""

    path: Path
    text: str
    executable: bool = False
    personal: bool = False

    def present(self) -> str | None:
        """The current contents of the file; None if it does not exist."""
        try:
            return self.path.read_text("utf-8", "replace")
        except FileNotFoundError:
            return None

    def is_ours(self, text: str) -> bool:
        """Whether contents that were found there are from vudissect, and nobody would lose anything with them."""
        return profile.is_unchanged(text) if self.personal else is_ours(text)

    def set_aside(self) -> Path:
        """Rename the file that is there; returns its new path, which nothing had."""
        for number in count(1):
            kept = self.path.with_name(f"{self.path.name}.old{number}")
            with suppress(FileExistsError):
                os.link(self.path, kept, follow_symlinks=False)
                self.path.unlink()
                return kept
        raise AssertionError

    def write(self) -> None:
        """Write the file, and create missing folders."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Not into the old file: that could be a link to a file under version control.
        self.path.unlink(missing_ok=True)
        self.path.write_text(self.text, "utf-8")
        if self.executable:
            self.path.chmod(0o755)


def is_ours(text: str) -> bool:
    """Whether a file was installed by vudissect, and neither written by somebody else nor rewritten by Wireshark."""
    return any(_MARK in line for line in text.splitlines()[:_LINES_WITH_MARK])


def pieces(folders: str, python: str) -> tuple[Piece, ...]:
    """What to install where, according to `tshark -G folders`; `python` is the interpreter that has vudissect.

    Before 4.2, Wireshark looks for personal interfaces next to the preferences, and does not list that folder.
    """
    known = dict(re.findall(r"^(.*?):\s+(.*)$", folders, re.MULTILINE))
    configuration = Path(known["Personal configuration"])
    extcap = Path(known.get("Personal Extcap path", configuration / "extcap"))
    return (
        Piece(Path(known["Personal Lua Plugins"]) / NAME, plugin()),
        Piece(extcap / LAUNCHER, launcher(python), executable=True),
        *(
            Piece(configuration / "profiles" / profile.NAME / name, text, personal=True)
            for name, text in profile.files().items()
        ),
    )
