"""docs/capture-format.md describes what the code does."""

import re
from pathlib import Path

from tests.capture.examples import EVENT, encoder
from vudissect.capture.packet import ADDRESSES, HEADER, PROXY_ADDRESS
from vudissect.capture.record import Mark, RecordKind
from vudissect.host.descriptor import DescriptorKind
from vudissect.protocol.model import Channel, Side

DOCUMENT = (Path(__file__).parents[2] / "docs" / "capture-format.md").read_text()


def rows_after(heading: str) -> list[list[str]]:
    """The cells of the first table after a text."""
    _, _, rest = DOCUMENT.partition(heading)
    table = re.search(r"(?:^\|.*\n)+", rest, re.MULTILINE)
    assert table, heading
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table[0].splitlines()[2:]]


def test_the_example_is_what_the_encoder_writes() -> None:
    lines = re.findall(r"^[0-9a-f]{4}  ((?:[0-9a-f]{2} ?)+)", DOCUMENT, re.MULTILINE)
    payload = bytes.fromhex("0c000000 01000000 08000000 0000000000000000")

    block = encoder().message(1, Channel.MAIN, Side.FRONT_END, 5, 2_000, 2_500, payload, 20, 0, (EVENT,))

    assert bytes.fromhex("".join(lines)) == block


def test_the_record_header_has_no_gaps() -> None:
    offset = 0
    for start, size, _ in rows_after("### Record header"):
        assert int(start) == offset
        offset += int(size)

    assert offset == HEADER.size


def test_kinds_marks_and_addresses_are_complete() -> None:
    kinds = [f"{kind.value} {kind.name.lower().replace('_', ' ')}" for kind in RecordKind]
    addresses = [(".".join(map(str, address)), f"`{name}`") for address, name in (*ADDRESSES.values(), PROXY_ADDRESS)]

    assert rows_after("### Record header")[1][2] == "kind: " + ", ".join(kinds)
    assert [int(bit, 16) for bit, _ in rows_after("Marks are bits")] == [mark.value for mark in Mark]
    assert [int(number) for number, *_ in rows_after("Otherwise an identity")] == list(DescriptorKind)
    assert [(address, name) for address, name, _ in rows_after("RFC 5737")] == addresses
