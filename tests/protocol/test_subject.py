"""The subjects of messages are fields that those messages have."""

import pytest

from vudissect.protocol.model import Channel
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.subject import SUBJECTS
from vudissect.protocol.table import UPSTREAM


@pytest.mark.parametrize("purpose", SUBJECTS, ids=lambda purpose: purpose.name)
def test_every_message_with_this_purpose_has_the_fields(purpose: Purpose) -> None:
    rows = [row for channel in Channel for row in UPSTREAM.channel(channel) if row.purpose is purpose]

    assert rows
    for row in rows:
        assert {field.name for field in row.request[0].fields} >= set(SUBJECTS[purpose].fields)


@pytest.mark.parametrize("purpose", [each for each in SUBJECTS if SUBJECTS[each].undoes], ids=lambda each: each.name)
def test_what_undoes_a_message_has_the_same_subject(purpose: Purpose) -> None:
    undone = SUBJECTS[purpose].undoes
    assert undone is not None
    assert SUBJECTS[undone].fields == SUBJECTS[purpose].fields
