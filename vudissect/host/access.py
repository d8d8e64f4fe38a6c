"""Who may connect to a socket in the file system: its mode, owner and group."""

import grp
import os
import pwd
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass

_PRIVATE = 0o600
_OCTAL = re.compile(r"0?[0-7]{3}")
# For chown: leave it as it is.
_AS_IT_IS = -1


class AccessError(ValueError):
    """A mode, user or group that cannot be used; the message names it and the remedy."""


@dataclass(frozen=True, slots=True)
class Access:
    """The mode of a new socket, and the numbers of its owner and group, -1 for those of this process."""

    mode: int = _PRIVATE
    owner: int = _AS_IT_IS
    group: int = _AS_IT_IS

    @property
    def is_private(self) -> bool:
        """Whether it is what a new socket has anyway."""
        return self == PRIVATE

    def give(self, path: str) -> None:
        """Change a socket that this process has just created with mode 0600; raises `OSError`."""
        # The descriptor is of the socket itself: chmod would follow a link that has taken its place.
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            status = os.fstat(fd)
            if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.geteuid():
                raise FileNotFoundError(f"{path} is not the new socket any more")
            place = f"/proc/self/fd/{fd}"
            if (self.owner, self.group) != (_AS_IT_IS, _AS_IT_IS):
                os.chown(place, self.owner, self.group)
            # Last, so that the wider mode is never that of another group.
            os.chmod(place, self.mode)
        finally:
            os.close(fd)


PRIVATE = Access()
"""Only this user may connect."""


def parse_access(mode: str | None, owner: str | None, group: str | None) -> Access:
    """From an octal mode, and names or numbers of a user and a group; raises `AccessError`."""
    if mode is not None and not _OCTAL.fullmatch(mode):
        raise AccessError(f"{mode!r} is not a mode: write three octal digits, as in 660")
    return Access(
        int(mode, 8) if mode is not None else _PRIVATE,
        _number("user", owner, lambda name: pwd.getpwnam(name).pw_uid),
        _number("group", group, lambda name: grp.getgrnam(name).gr_gid),
    )


def _number(what: str, text: str | None, find: Callable[[str], int]) -> int:
    if text is None:
        return _AS_IT_IS
    if text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) < 0xFFFF_FFFF:
        return int(text)
    try:
        return find(text)
    except (KeyError, ValueError):
        raise AccessError(f"{text!r}: there is no such {what} here: use a name from getent, or a number") from None
