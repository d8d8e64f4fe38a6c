"""Makes messages by name, with the project's own table and codec."""

import sys
from typing import Any

from vudissect.protocol.model import Channel, Row
from vudissect.protocol.payloads import ACK
from vudissect.protocol.table import UPSTREAM
from vudissect.wire.codec import Codec
from vudissect.wire.fields import from_fields

_CODEC = Codec(UPSTREAM, sys.byteorder)


def request(name: str, channel: Channel = Channel.MAIN, need_reply: bool = False, **fields: Any) -> bytes:
    """A request; fields that are left out are zero."""
    row = _row(channel, name)
    layout = row.request[0]
    return _CODEC.encode(row, layout, from_fields(layout, fields), need_reply=need_reply)


def reply(name: str, **fields: Any) -> bytes:
    """The reply to a request on the main channel."""
    row = _row(Channel.MAIN, name)
    return _CODEC.encode(row, row.reply[0], from_fields(row.reply[0], fields), reply=True)


def acknowledgement(name: str) -> bytes:
    """The acknowledgement of success for a request with NEED_REPLY on the main channel."""
    return _CODEC.encode(_row(Channel.MAIN, name), ACK, from_fields(ACK, {}), reply=True)


def _row(channel: Channel, name: str) -> Row:
    (row,) = (row for row in UPSTREAM.channel(channel) if row.name == name)
    return row
