"""Numbers and external text as people read them."""

import pytest

from vudissect.render.units import address_text, duration_text, hex_text, printable, size_text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0"), (1, "1"), (1023, "1023"), (1024, "1K"), (1025, "1025"), (640 << 10, "640K"), (255 << 20, "255M"),
     (1 << 30, "1G"), (3 << 40, "3T")],
)  # fmt: skip
def test_a_size_loses_nothing(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(0, "0us"), (87_300, "87.3us"), (999_499, "999us"), (999_500, "1ms"), (1_240_000, "1.24ms"),
     (430_000_000, "430ms"), (2_034_000_000, "2.034s"), (61_000_000_000, "61.0s"), (-5000, "-5us")],
)  # fmt: skip
def test_a_duration_has_three_significant_digits(nanoseconds: int, text: str) -> None:
    assert duration_text(nanoseconds) == text


def test_an_address_is_hexadecimal_except_for_zero() -> None:
    assert (address_text(0), address_text(0x7F00)) == ("0", "0x7f00")


def test_long_bytes_have_their_number() -> None:
    assert hex_text(b"\x01\x02\x03", 2) == "01 02 ... (3 bytes)"


@pytest.mark.parametrize(
    ("text", "shown"), [("plain", "plain"), ("a\x1bb", "a\\x1bb"), ("\u202ex", "\\u202ex"), ("ü", "ü")]
)
def test_terminal_control_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
