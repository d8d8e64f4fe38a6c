"""A socket in a command line."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from vudissect.protocol.devices import device_by_name
from vudissect.protocol.model import Side


@dataclass(frozen=True, slots=True)
class Socket:
    """A vhost-user socket in a command line.

    `name` is the id of its device or else the nearest to it, `device` the type of the device or "". `side` is that of
    the command, and `listens` whether it is the command that listens. `address` is as `vuproxy` reads it. `replace`
    makes the word at `index`, or the contents of `file`, with another path.
    """

    name: str
    device: str
    side: Side
    listens: bool
    address: str
    index: int
    replace: Callable[[str, str], str]
    file: str = ""

    def named(self, name: str) -> "Socket":
        """The same with another name."""
        return replace(self, name=name)


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A vhost-user socket that cannot be moved, and the reason."""

    name: str
    reason: str


def device_type(word: str) -> str:
    """The type of the device that a program calls so, as in `vhost-user-blk` or `block`; "" if it is none."""
    device = device_by_name(word)
    return device.name if device is not None else ""
