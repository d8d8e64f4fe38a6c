"""The names of the language do not hide those of the table."""

import pytest

from vudissect.filter.fields import leaves
from vudissect.filter.keys import KEYS
from vudissect.filter.messages import rows

FIELDS = {leaf.path for row in rows() for layout in (*row.request, *row.reply) for leaf in leaves(layout)}


@pytest.mark.parametrize("name", KEYS)
def test_no_field_is_called_like_a_key(name: str) -> None:
    assert name not in FIELDS


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_field_is_a_word_of_the_language(name: str) -> None:
    assert not set(name) & set("=<>!() ")
