"""What replaces the row and the layout of a message that has none."""

import pytest

from vudissect.protocol.model import Channel
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.unknown import NO_LAYOUT, message_name, unknown_row
from vudissect.wire.fields import to_fields


@pytest.mark.parametrize("channel", Channel)
def test_an_unknown_row_is_on_its_channel_and_nothing_else(channel: Channel) -> None:
    row = unknown_row(channel)

    assert (row.channel, row.known, row.purpose, row.request, row.reply) == (channel, False, Purpose.NONE, (), ())


def test_an_unknown_message_is_called_by_its_number() -> None:
    assert message_name(unknown_row(Channel.GPU), 77) == "message 77"


def test_no_layout_has_no_fields() -> None:
    assert to_fields(NO_LAYOUT, ()) == {}
