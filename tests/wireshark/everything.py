"""Captures with everything: each message of a dialect in each form, with values of all sizes, in both byte orders."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.model import Field, Layout, Row, Side
from vudissect.protocol.table import Protocol
from vudissect.wire.codec import Codec, forms
from vudissect.wire.header import ByteOrder
from vudissect.wire.layout import Values

EPOCH_OFFSET = 1_700_000_000_000_000_000
MILLISECOND = 1_000_000


def _value(field: Field, dice: random.Random) -> Any:
    size = field.size
    if field.code.endswith("s"):
        # Followed by zeros, as text is, or not.
        return dice.randbytes(dice.randrange(size + 1)).ljust(size, b"\0") if dice.random() < 0.5 else bytes(size)
    bits = size * 8
    highest = (1 << bits) - 1
    word = dice.choice((0, 1, highest, 1 << bits - 1, dice.getrandbits(bits), *field.choices))
    return word - (1 << bits) if field.code.islower() and word >> bits - 1 else word


def _values(layout: Layout, dice: random.Random) -> Values:
    forced: dict[str, int] = {}
    rest: tuple[Any, ...] = ()
    if layout.when is not None:
        name, allowed = layout.when
        forced[name] = dice.choice(sorted(allowed))
    if layout.array is not None:
        count = layout.array.count
        number = count if isinstance(count, int) else dice.randrange(4)
        if isinstance(count, str):
            forced[count] = number
        rest = (tuple(_values(layout.array.entry, dice) for _ in range(number)),)
    if layout.tail is not None:
        length = 1
        for factor in layout.tail.length:
            if isinstance(factor, str):
                forced[factor] = dice.randrange(60)
            length *= factor if isinstance(factor, int) else forced[factor]
        rest = (dice.randbytes(length),)
    return (*(forced.get(field.name, _value(field, dice)) for field in layout.fields), *rest)


def _descriptors(row: Row, reply: bool, dice: random.Random) -> tuple[Descriptor, ...]:
    taken = row.reply_fds if reply else row.fds
    return tuple(
        Descriptor(
            dice.choice(list(DescriptorKind)),
            dice.choice(("", f"1:{dice.randrange(9)}")),
            dice.getrandbits(64),
            dice.choice((0, 4096)),
            dice.choice((-1, 0, 0x3F)),
            dice.getrandbits(32),
            dice.choice(("/memfd:ram (deleted)", "anon_inode:[eventfd]", "é\x1b[1m\n", "")),
        )
        for _ in range(dice.randint(0, taken.most))
    )


def records(protocol: Protocol) -> Iterator[Record]:
    """Three times each form of each message, little-endian, and once big-endian; replies follow their requests."""
    dice = random.Random(protocol.key)
    codecs: dict[ByteOrder, Codec] = {"little": Codec(protocol, "little"), "big": Codec(protocol, "big")}
    number = 0
    for turn in range(4):
        order: ByteOrder = "big" if turn == 3 else "little"
        for row in protocol.messages:
            for reply in (False, True):
                for layout in forms(row, reply=reply):
                    number += 1
                    sender = row.initiator if not reply else Side(1 - row.initiator)
                    data = codecs[order].encode(
                        row, layout, _values(layout, dice), reply=reply, need_reply=not reply and dice.random() < 0.3
                    )
                    yield Record(
                        RecordKind.MESSAGE,
                        turn + 1,
                        row.channel,
                        sender,
                        number,
                        number * MILLISECOND,
                        number * MILLISECOND + 500,
                        EPOCH_OFFSET + number * MILLISECOND,
                        len(data),
                        data,
                        Mark.BIG_ENDIAN if order == "big" else Mark(0),
                        _descriptors(row, reply, dice),
                    )


def save(path: Path, said: list[Record], *, keep_keys: bool = True) -> Path:
    """A capture of records."""
    encoder = CaptureEncoder("test", "test", 1 << 18, EPOCH_OFFSET, keep_keys=keep_keys)
    path.write_bytes(encoder.preamble() + b"".join(encoder.record(record) for record in said))
    return path
