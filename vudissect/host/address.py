"""Addresses of peers, parsed from the command line. No sockets are used here."""

from dataclasses import dataclass
from enum import StrEnum

# sun_path of Linux, with its final NUL for paths and its leading one for abstract names.
_LONGEST_NAME = 107
_LARGEST_FD = 0x7FFF_FFFF
_MOST_DIGITS = 10


class AddressError(ValueError):
    """An address that cannot be used; the message names it and the remedy."""


class Role(StrEnum):
    """Who connects to whom: the proxy listens for the peer, or connects to it."""

    LISTEN = "listen"
    CONNECT = "connect"


@dataclass(frozen=True, slots=True)
class Address:
    """One side of the proxy: `name` as system calls expect it (`\\0…` for an abstract one), or an inherited `fd`."""

    role: Role
    name: str = ""
    fd: int | None = None

    @property
    def is_path(self) -> bool:
        """Whether it is a file in the file system."""
        return self.fd is None and not self.name.startswith("\0")

    def __str__(self) -> str:
        if self.fd is not None:
            return f"fd:{self.fd}"
        return self.name.replace("\0", "@", 1)


def parse_address(role: Role, text: str) -> Address:
    """`PATH`, `@ABSTRACT` or `fd:NUMBER`; raises `AddressError`."""
    if text.startswith("fd:"):
        number = text.removeprefix("fd:")
        if not (number.isascii() and number.isdecimal() and len(number) <= _MOST_DIGITS and int(number) <= _LARGEST_FD):
            raise AddressError(f"{text!r}: fd: needs the number of an open descriptor, as in fd:3")
        return Address(role, fd=int(number))
    if not text or text == "@":
        raise AddressError(f"{text!r} is not an address: use a path, @NAME for an abstract socket, or fd:NUMBER")
    if "\0" in text:
        raise AddressError(f"{text!r}: the name of a socket cannot contain a NUL")
    length = len(text.encode(errors="surrogateescape"))
    if length > _LONGEST_NAME:
        raise AddressError(
            f"{text}: {length} bytes, but a socket's name has at most {_LONGEST_NAME}: use a shorter or a relative path"
        )
    return Address(role, "\0" + text[1:] if text.startswith("@") else text)


def parse_side(text: str) -> Address:
    """`listen:ADDRESS` or `connect:ADDRESS`; raises `AddressError`."""
    role, colon, address = text.partition(":")
    if not colon or role not in tuple(Role):
        raise AddressError(f"{text!r}: use listen:ADDRESS or connect:ADDRESS")
    return parse_address(Role(role), address)
