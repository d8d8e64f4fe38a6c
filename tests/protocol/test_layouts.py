"""The keys of layouts: filters, scapy's layers and conversations use them, whatever the titles are."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from vudissect.protocol.devices import DEVICES
from vudissect.protocol.dialects import DIALECTS
from vudissect.protocol.model import Answer, Channel, Layout, Row
from vudissect.protocol.payloads import ACK, MEM_TABLE_TWO
from vudissect.scapy.names import entry_name, message_name
from vudissect.wireshark.names import subject


def layouts() -> Iterator[Layout]:
    yield ACK
    for dialect in DIALECTS:
        for row in dialect.protocol.messages:
            for layout in (*row.request, *row.reply):
                yield layout
                if layout.array is not None:
                    yield layout.array.entry
    yield from (device.config for device in DEVICES)


LAYOUTS = list(dict.fromkeys(layouts()))


def reworded(layout: Layout) -> Layout:
    return replace(layout, title="something else (entirely)")


def test_no_two_layouts_share_a_key() -> None:
    keys = [layout.key for layout in LAYOUTS]

    assert [key for key in keys if keys.count(key) > 1] == []


@pytest.mark.parametrize("key", [layout.key for layout in LAYOUTS])
def test_a_key_is_a_name_a_form_and_a_distinction(key: str) -> None:
    assert re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_]+)?(:[a-z0-9_-]+)*", key)


def test_without_a_title_its_key_is_shown() -> None:
    assert Layout("memory_table.two_slots:uml").title == "memory table (two slots)"


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.key)
def test_another_title_changes_no_filter(layout: Layout) -> None:
    assert subject(reworded(layout)) == subject(layout)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.key)
def test_another_title_changes_no_layer(layout: Layout) -> None:
    def names(layout: Layout) -> tuple[str, str]:
        row = Row(Channel.MAIN, 1, "FRY_EGGS", "Fries eggs.", (Layout("first"), layout), Answer.NEVER)
        return message_name(row, layout, reply=False), entry_name(layout)

    assert names(reworded(layout)) == names(layout)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.key)
def test_another_title_changes_no_conversation(layout: Layout) -> None:
    assert reworded(layout).words == layout.words
    assert reworded(layout).is_called(layout.words)


@pytest.mark.parametrize("text", ["memory table (two slots)", "Memory table, two slots", "memory_table.two_slots"])
def test_a_layout_is_found_as_people_write_it(text: str) -> None:
    assert MEM_TABLE_TWO.is_called(text)


@pytest.mark.parametrize("text", ["memory table", "memory table (two)", "two slots", ""])
def test_a_layout_is_not_found_by_a_part_of_its_name(text: str) -> None:
    assert not MEM_TABLE_TWO.is_called(text)
