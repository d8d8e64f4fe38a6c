"""What replaces the row and the layout of a message that has none, so that every message has both."""

from typing import Final

from vudissect.protocol.model import Answer, Channel, Layout, Row

NO_LAYOUT: Final = Layout("unknown")
"""The layout of a payload that fits none: it has no fields, so there are no values."""

_ROWS = tuple(Row(channel, -1, "", "a message that is not in the table", (), Answer.NEVER) for channel in Channel)


def unknown_row(channel: Channel) -> Row:
    """The row of all messages of a channel that are not in the table: without name, payloads, gate and purpose."""
    return _ROWS[channel]


def message_name(row: Row, number: int) -> str:
    """The name of a message with this row and number: `message 1000` if it is not in the table."""
    return row.name or f"message {number}"
