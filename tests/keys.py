"""Messages with random keys, and functions that find these keys where they must not be."""

import random
import re
import struct
from itertools import product
from typing import NamedTuple

from hypothesis import strategies as st

from tests.wire.strategies import FORMS, Form, pack, values
from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.protocol.model import Channel, Meaning, Side

HEADER = 12

FORMS_WITH_KEYS = [form for form in FORMS if any(field.meaning is Meaning.SECRET for field in form.layout.fields)]

# Shorter runs would be found by chance.
_RUN = 4

_IN_HEXADECIMAL = re.compile(r"(?:[0-9a-f]{2}(?:[ :-]|\\x|\n *)?){4,}")


class WithKey(NamedTuple):
    """A message including its header, and the key material in it."""

    data: bytes
    keys: tuple[bytes, ...]
    sender: Side


def leaked(keys: tuple[bytes, ...], where: bytes) -> set[bytes]:
    """The runs of bytes from these keys that are in `where`."""
    return _runs(where) & {run for key in keys for run in _runs(key)}


def leaked_as_text(keys: tuple[bytes, ...], text: str) -> set[bytes]:
    """The runs of bytes from these keys that a text has in hexadecimal, however they are grouped."""
    found: set[bytes] = set()
    for group in _IN_HEXADECIMAL.findall(text.lower()):
        digits = re.sub(r"[^0-9a-f]", "", group)
        for start in (0, 1):
            found |= _runs(bytes.fromhex(digits[start : len(digits) - (len(digits) - start) % 2]))
    return found & {run for key in keys for run in _runs(key)}


def _runs(data: bytes) -> set[bytes]:
    """All runs of `_RUN` bytes."""
    return {data[start : start + _RUN] for start in range(len(data) - _RUN + 1)}


def message_with_key(form: Form, given: tuple[object, ...], order: str, seed: int) -> WithKey:
    """A message of this form with random key material that has no zero bytes."""
    dice = random.Random(seed)
    filled = list(given)
    for position, field in enumerate(form.layout.fields):
        if field.meaning is Meaning.SECRET:
            filled[position] = bytes(dice.randrange(1, 256) for _ in range(field.size))
    payload = pack(form.layout, tuple(filled), order)
    keys = tuple(
        value
        for field, value in zip(form.layout.fields, filled, strict=True)
        if field.meaning is Meaning.SECRET and isinstance(value, bytes)
    )
    header = struct.pack(f"{order}III", form.row.id, 5 if form.reply else 1, len(payload))
    return WithKey(header + payload, keys, Side(form.row.initiator ^ form.reply))


@st.composite
def messages_with_keys(draw: st.DrawFn) -> tuple[Form, str, WithKey]:
    """A message with a key, of any form of any dialect, in either byte order (`<` or `>`)."""
    form, order = draw(st.sampled_from(FORMS_WITH_KEYS)), draw(st.sampled_from("<>"))
    given = draw(values(form.layout))
    return form, order, message_with_key(form, given, order, draw(st.integers(0, 1 << 32)))


def some_message(form: Form, order: str, seed: int) -> WithKey:
    """A message whose other fields are zero, except those that select its form."""
    name, allowed = form.layout.when or ("", frozenset({0}))
    fixed = tuple(
        bytes(field.size) if field.code.endswith("s") else min(allowed) if field.name == name else 0
        for field in form.layout.fields
    )
    return message_with_key(form, fixed, order, seed)


def resized(message: WithKey, order: str, size: int) -> bytes:
    """The message with a payload of another size: cut, or followed by copies of its first key."""
    payload = (message.data[HEADER:] + message.keys[0] * 20)[:size]
    return message.data[:8] + struct.pack(f"{order}I", len(payload)) + payload


def all_kinds() -> tuple[list[Record], tuple[bytes, ...]]:
    """Records of every form in both byte orders, with unknown sizes, cut short, and with a short snap length; keys."""
    records: list[Record] = []
    keys: list[bytes] = []
    for number, (form, order) in enumerate(product(FORMS_WITH_KEYS, "<>"), 1):
        message = some_message(form, order, number)
        keys += message.keys
        marks = Mark.BIG_ENDIAN if order == ">" else Mark(0)
        whole = (message.data, *(resized(message, order, size) for size in (20, 60, 700, 1073, 4096)))
        for data, kept, length in (
            *((data, len(data), len(data)) for data in whole),
            (message.data, 300, len(message.data)),
            (message.data[:200], 200, 200),
        ):
            records.append(
                Record(
                    RecordKind.MESSAGE, number, Channel.MAIN, message.sender, len(records) + 1, 1, 2, 3, length,
                    data[:kept], marks | (Mark.CUT_SHORT if length == 200 else Mark(0)),
                )
            )  # fmt: skip
    return records, tuple(keys)
