"""The arguments of system calls as strace prints them."""

import pytest

from vudissect.sources.values import NotArgumentsError, Number, Text, Value, parse_arguments


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-1", -1),
        ("0x1f", 31),
        ("NULL", "NULL"),
        ("O_RDWR|O_NONBLOCK", "O_RDWR|O_NONBLOCK"),
        (r'"\x01\x00"', Text(b"\x01\x00")),
        (r'"a\n\0\12\"b"', Text(b'a\n\0\n"b')),
        ('"abc"...', Text(b"abc", True)),
        ("[1, 2]", [1, 2]),
        ("[128 => 2]", [128, 2]),
        ("{iov_len=12, msg_flags=MSG_CMSG_CLOEXEC}", {"iov_len": 12, "msg_flags": "MSG_CMSG_CLOEXEC"}),
        ("0x7ffd00000000 /* 9 vars */", 0x7FFD00000000),
        ("makedev(0x1, 0x3)", "makedev(0x1, 0x3)"),
    ],
)
def test_a_value(text: str, value: Value) -> None:
    assert parse_arguments(f"{text})") == ([value], len(text) + 1)


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("7<anon_inode:[eventfd]>", "anon_inode:[eventfd]"),
        (r"7<\x61\x6e\x6f\x6e>", "anon"),
        ("7<UNIX-STREAM:[45446->45449]>", "UNIX-STREAM:[45446->45449]"),
        (r'7<UNIX-STREAM:[1->2,"\x62>ack"]>', 'UNIX-STREAM:[1->2,"b>ack"]'),
        ("7</memfd:pc.ram>(deleted)", "/memfd:pc.ram (deleted)"),
        ("7</memfd:pc.ram (deleted)>", "/memfd:pc.ram (deleted)"),
    ],
)
def test_the_description_of_a_descriptor(text: str, about: str) -> None:
    assert parse_arguments(f"{text}, 0)")[0] == [Number(7, about), 0]


@pytest.mark.parametrize("text", ["", "12", '"abc', "{a=", "[" * 100 + ")", "7<abc", "}"])
def test_what_is_cut_off_is_an_error(text: str) -> None:
    with pytest.raises(NotArgumentsError):
        parse_arguments(text)
