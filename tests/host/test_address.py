"""Addresses as written on the command line."""

import pytest

from vudissect.host.address import Address, AddressError, Role, parse_address, parse_side


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("listen:a.sock", Address(Role.LISTEN, "a.sock")),
        ("connect:/run/with:colon", Address(Role.CONNECT, "/run/with:colon")),
        ("listen:@name", Address(Role.LISTEN, "\0name")),
        ("connect:fd:7", Address(Role.CONNECT, fd=7)),
        ("connect:fd:2147483647", Address(Role.CONNECT, fd=2147483647)),
        ("listen:" + "x" * 107, Address(Role.LISTEN, "x" * 107)),
    ],
)
def test_valid_addresses(text: str, address: Address) -> None:
    assert parse_side(text) == address
    assert f"{address.role}:{address}" == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a.sock", "use listen:ADDRESS or connect:ADDRESS"),
        ("dial:a.sock", "use listen:ADDRESS or connect:ADDRESS"),
        ("listen:", "is not an address"),
        ("listen:@", "is not an address"),
        ("listen:fd:", "the number of an open descriptor"),
        ("listen:fd:-1", "the number of an open descriptor"),
        ("listen:fd:²", "the number of an open descriptor"),
        ("connect:fd:2147483648", "the number of an open descriptor"),
        ("connect:fd:999999999999", "the number of an open descriptor"),
        ("connect:fd:" + "9" * 5000, "the number of an open descriptor"),
        ("listen:a\0b", "a NUL"),
        ("listen:" + "x" * 108, "108 bytes, but a socket's name has at most 107"),
        ("listen:@" + "é" * 54, "109 bytes"),
    ],
)
def test_invalid_addresses(text: str, complaint: str) -> None:
    with pytest.raises(AddressError, match=complaint):
        parse_side(text)


def test_a_path_may_be_relative() -> None:
    assert parse_address(Role.LISTEN, "./a.sock").is_path
    assert not parse_address(Role.LISTEN, "@a.sock").is_path
