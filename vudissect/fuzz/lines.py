"""Messages of a session as lines of a conversation that read back as exactly these messages."""

import os
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from vudissect.capture.record import Record
from vudissect.conversation.conversation import ConversationError
from vudissect.conversation.text import Reader
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.model import Channel, Side
from vudissect.protocol.table import UPSTREAM
from vudissect.render.descriptors import kind_text
from vudissect.session.names import PREFIXES
from vudissect.wire.codec import codec_of
from vudissect.wire.fields import to_fields
from vudissect.wire.header import HEADER_SIZE, NEED_REPLY, REPLY, VERSION, struct_of

_HEADER = struct_of("III", "little")
_NOT_A_NAME = re.compile(r"\W")
_ARROWS: Final = ("F>B", "B>F")
LINES = 4096
"""The lines of a session repeat in the thousands that are derived from it: so many are kept."""


def line_of(record: Record) -> str:
    """A message of either side as a line that reads back as exactly this message: by its fields if they can say it."""
    return _line(record.data, record.descriptors, record.connection, record.sender, record.channel)


def name_of(descriptor: Descriptor, sender: Side = Side.FRONT_END) -> str:
    """Its name; those of what a back-end made do not mix with those of a front-end."""
    name = _NOT_A_NAME.sub("", descriptor.identity.rpartition(":")[2])
    is_its_own = sender is Side.FRONT_END or name.startswith("b")
    return f"{PREFIXES.get(descriptor.kind, 'fd')}#{'' if is_its_own else 'b'}{name}"


def _about(descriptor: Descriptor) -> str:
    if descriptor.kind is DescriptorKind.PIPE:
        return "" if descriptor.flags & os.O_ACCMODE else " (to read)"
    return f" ({text})" if (text := kind_text(descriptor)) else ""


def prefix_of(connection: int) -> str:
    """What begins a line about a connection that is not the first."""
    return f"c{connection} " if connection != 1 else ""


@lru_cache(LINES)
def _line(data: bytes, descriptors: tuple[Descriptor, ...], connection: int, sender: Side, channel: Channel) -> str:
    before = f"{prefix_of(connection)}{_ARROWS[sender]} {'' if channel is Channel.MAIN else f'{channel.label}: '}"
    after = "".join(f" {name_of(each, sender)}{_about(each)}" for each in descriptors)
    for words in _candidates(data, sender, channel):
        line = f"{before}{words}{after}"
        try:
            read = Reader().compose(line)[0]
        except ConversationError:
            continue
        if read.data == data and len(read.descriptors) == len(descriptors):
            return line
    return f"{before}bytes {data.hex()}{after}"


def _candidates(data: bytes, sender: Side, channel: Channel) -> Iterable[str]:
    if len(data) < HEADER_SIZE:
        return
    number, flags, size = _HEADER.unpack_from(data)
    # The fields of the payload that is there, even if the header has another size.
    honest = _HEADER.pack(number, flags, len(data) - HEADER_SIZE) + data[HEADER_SIZE:]
    decoded = codec_of(UPSTREAM, "little").decode(channel, sender, honest)
    if not decoded.row.known or number != decoded.row.id:
        return
    header = ""
    usual = VERSION | (REPLY if decoded.reply else 0)
    if flags == usual | NEED_REPLY:
        header += " need_reply"
    elif flags != usual:
        header += f" header_flags={flags:#x}"
    if size != len(data) - HEADER_SIZE:
        header += f" header_size={size}"
    if decoded.fits:
        fields = to_fields(decoded.layout, decoded.values)
        yield f"{decoded.name} ({decoded.layout.words}){_words(fields)}{header}"
    yield f"{decoded.name} payload={data[HEADER_SIZE:].hex()}{header}"


def _words(fields: dict[str, object]) -> str:
    words = ""
    for name, value in fields.items():
        if isinstance(value, list):
            for number, entry in enumerate(value):
                words += f" {name.removesuffix('s')}{number}{_words(entry)}"
        elif isinstance(value, int):
            words += f" {name}={value:#x}" if value > 9999 else f" {name}={value}"
        else:
            words += f" {name}={value}"
    return words
