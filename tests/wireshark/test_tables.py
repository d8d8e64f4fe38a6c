"""The tables of the plugin refer to each other by name, so that an addition does not move anything else."""

from dataclasses import replace
from difflib import ndiff

import pytest

from vudissect.protocol.bits import Bit, BitSet
from vudissect.protocol.dialects import DIALECTS
from vudissect.protocol.dialects.dialect import Dialect
from vudissect.protocol.fields import u32, u64
from vudissect.protocol.model import Answer, Channel, Gate, Layout, Row
from vudissect.protocol.since import Since, qemu
from vudissect.protocol.table import UPSTREAM, Protocol
from vudissect.wireshark.tables import Named, Tables

STATISTICS = Layout("vring_statistics", (u32("index"), u32("errors"), u64("kicks"), u64("calls")))


def upstream_with_statistics() -> Protocol:
    """Upstream with a message that has its own payload and feature."""
    row = Row(
        Channel.MAIN,
        45,
        "GET_VRING_STATS",
        "Asks how often a ring was used.",
        (STATISTICS,),
        Answer.ALWAYS,
        (STATISTICS,),
        gate=Gate(protocol=("VRING_STATS",)),
        since=qemu("12.0"),
    )
    features = UPSTREAM.protocol_features
    more = replace(features, bits=(*features.bits, Bit(23, "VRING_STATS", since=qemu("12.0"))))
    return replace(
        UPSTREAM,
        messages=tuple(
            showing(row, more) for row in sorted((*UPSTREAM.messages, row), key=lambda row: (row.channel, row.id))
        ),
        protocol_features=more,
    )


def showing(row: Row, features: BitSet) -> Row:
    """The row with these features in its words, as if the table had them."""

    def with_words(layout: Layout) -> Layout:
        if not any(field.bits is UPSTREAM.protocol_features for field in layout.fields):
            return layout
        return replace(layout, fields=tuple(replace(field, bits=features) for field in layout.fields))

    forms = tuple(tuple(map(with_words, forms)) for forms in (row.request, row.reply))
    return row if forms == (row.request, row.reply) else replace(row, request=forms[0], reply=forms[1])


def changed(before: str, after: str) -> list[str]:
    return [line for line in ndiff(before.splitlines(), after.splitlines()) if line[0] in "-+"]


@pytest.fixture(scope="module")
def today() -> str:
    return Tables().lua()


def test_a_new_message_changes_few_lines(today: str) -> None:
    lines = changed(today, Tables(upstream_with_statistics()).lua())

    assert any("GET_VRING_STATS" in line for line in lines)
    assert len(lines) <= 30


def test_a_new_dialect_changes_only_its_own_lines(today: str) -> None:
    row = Row(
        Channel.MAIN, 45, "GET_VRING_STATS", "Asks.", (STATISTICS,), Answer.NEVER, since=Since("draft of", "2026-11")
    )
    draft = Dialect("stats-rfc", "ring statistics", "2026-11", "a draft", "a list", as_of=qemu("8.1"), rows=(row,))

    lines = changed(today, Tables(dialects=(*DIALECTS, draft)).lua())

    assert [line for line in lines if line.startswith("-")] == []
    assert len(lines) <= 15


def test_two_values_have_two_names() -> None:
    named = Named()

    assert [named.name("a", 1), named.name("a", 1), named.name("a", 2, "b")] == ["a", "a", "a:b"]


def test_two_values_never_have_one_name() -> None:
    named = Named()
    named.name("a", 1)
    named.name("a", 2, "b")

    with pytest.raises(ValueError, match="two values are called a:b"):
        named.name("a", 3, "b")
