"""Makes a mutant from a seed: captures with changes on every level from bytes to the order of records, and texts."""

import gzip
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from random import Random

import zstandard

from tests.fuzz.captures import (
    CONNECTION,
    LENGTH,
    MESSAGE,
    SENDER,
    Descriptor,
    Other,
    Packet,
    Parts,
    packed,
    parts_of,
)
from vudissect.conversation.text import read_conversation

ROOT = Path(__file__).parents[2]
_MAX_PACKETS = 24
_MAX_TEXT_LINES = 40
_NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    8,
    0x7F,
    0xFF,
    0x100,
    1024,
    4096,
    0x7FFF,
    0xFFFF,
    0x10000,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**46,
    2**62,
    2**63 - 4096,
    2**63 - 1,
    2**63,
    2**64 - 4096,
    2**64 - 1,
)
_NAMES = (
    b"",
    b"\0",
    b"/memfd:a\0b (deleted)",
    b"\x1b]0;x\x07",
    b"\xff\xfe",
    "ä€\U0001f600".encode(),
    b"\xed\xa0\x80",
    b"\xef\xbf\xbe",
    b"x" * 500,
    b"a\nb\rc",
    b"socket:[1] dgram",
    "\u202e\u2028".encode(),
    b"/memfd:" + b"n" * 300,
    b"%s%n{0}",
    b"<&]]>\"'",
)
_VALUES: tuple[object, ...] = (
    None,
    True,
    -1,
    0,
    10**30,
    -(10**400),
    1.5,
    "",
    "\0",
    "\x1b[2J",
    "\ud800",
    "x" * 9000,
    [],
    {},
    ["a"],
    {"a": 1},
    "front-end",
    "back-end",
    "proxy",
    "virtiofsd",
    "qemu",
    "\uffff\n\u202e",
)
_WORDS = (
    "region0+0x1000",
    "+evt#1",
    "mem#1 (memfd \0 99999T pages 3 seals -1)",
    "need_reply",
    "->",
    "num=-1",
    "ok",
    "[#",
    "FAILED (9999999999)",
    "bit 99",
    "all but",
    "avail 1 wrap 1 used 9 wrap 1",
    "0+1T at 0x0",
    "payload=zz",
    "(was ",
    "cut_short=3",
    "header_size=4294967295",
    "size9 size 1",
    "blk: capacity",
    "9" * 5000,
    "0x" + "f" * 40,
    "ring 4294967295",
    "٣",
    "features=",
    "none",
    "MALFORMED, x: 00",
    "c0",
    "gpu:",
    "backend:",
    "\x1b[31m",
    "\ud800",
    "ack=-1",
    "... 1e9s",
    "message 70",
    "pixels 20M",
    "mac=00:11:22:33:44:55",
    "uuid=zz",
    "+20us",
    "+99999999999999999s",
)

Mutation = Callable[[Random, Parts], None]


@cache
def bases() -> Sequence[bytes]:
    """The original captures: real ones, and the conversations about known bugs."""
    real = [path.read_bytes() for path in sorted(ROOT.glob("captures/*.pcapng"))]
    composed = [read_conversation(text).capture() for text in texts()]
    return [*real, *composed]


@cache
def texts() -> Sequence[str]:
    """The conversations about known bugs."""
    return [path.read_text() for path in sorted(ROOT.glob("tests/interop/*.vu"))]


@cache
def _parts(number: int) -> Parts:
    return parts_of(bases()[number])


def capture(seed: int) -> bytes:
    """The mutated capture for this seed."""
    random = Random(seed)
    parts = _base(random)
    original = parts.packed()
    for _ in range(random.choice((1, 1, 2, 3, 6))):
        random.choice(_MUTATIONS)(random, parts)
    data = parts.packed()
    if random.random() < 0.25 or data == original:
        data = _noise(random, data)
    return random.choice(_WRAPPINGS)(random, data) if random.random() < 0.08 else data


def text(seed: int, given: str) -> str:
    """A mutated text; `given` is the original."""
    random = Random(seed)
    lines = given.splitlines()[:_MAX_TEXT_LINES] or [""]
    for _ in range(random.choice((1, 2, 5))):
        index = random.randrange(len(lines))
        words = lines[index].split(" ")
        position = random.randrange(len(words))
        match random.randrange(7):
            case 0:
                words[position] = random.choice(_WORDS)
            case 1:
                words.insert(position, random.choice(_WORDS))
            case 2:
                del words[position]
            case 3:
                words[position] = "".join(random.choices(words[position] + "0#()[]=+:~\t", k=random.randrange(20)))
            case 4:
                words[position] *= random.choice((2, 50))
            case 5:
                lines.insert(random.randrange(len(lines)), lines[index])
            case 6:
                other = random.choice(texts()).splitlines()
                lines[random.randrange(len(lines))] = random.choice(other)
        lines[index] = " ".join(words)
    return "\n".join(lines)


def _base(random: Random) -> Parts:
    whole = _parts(random.randrange(len(bases())))
    start = 0 if random.random() < 0.7 else random.randrange(len(whole.items))
    items = whole.items[start : start + _MAX_PACKETS]
    return Parts([item.copy() for item in whole.preamble], [item.copy() for item in items])


def _pick(random: Random, parts: Parts, wanted: Callable[[Packet], bool] = lambda _: True) -> Packet | None:
    packets = [item for item in parts.items if isinstance(item, Packet) and wanted(item)]
    return random.choice(packets) if packets else None


def _number(random: Random) -> int:
    return random.choice(_NUMBERS) if random.random() < 0.8 else random.getrandbits(random.choice((8, 16, 32, 64)))


def _is_message(packet: Packet) -> bool:
    return packet.is_message and len(packet.body) >= MESSAGE.size


# Blocks


def _block_noise(random: Random, parts: Parts) -> None:
    items = random.choice((parts.preamble, parts.items))
    if items:
        index = random.randrange(len(items))
        whole = items[index].packed()
        number = random.choice((*range(12), 0x0A0D0D0A, 0xBAD, int.from_bytes(whole[:4], "little")))
        items[index] = Other(number, _noise(random, whole[8:-4]))


def _bad_options(random: Random, parts: Parts) -> None:
    """Adds bytes after a packet's options, so that the options are malformed."""
    packet = _pick(random, parts)
    if packet is not None:
        packet.options += _number(random).to_bytes(8, "little") * random.randrange(3)
        packet.options += random.randbytes(random.randrange(9))


def _interface(random: Random, parts: Parts) -> None:
    packet = _pick(random, parts)
    if packet is not None:
        packet.head[random.randrange(5)] = _number(random)


def _preamble(random: Random, parts: Parts) -> None:
    index = random.randrange(len(parts.preamble))
    match random.randrange(3):
        case 0:
            del parts.preamble[index]
        case 1:
            parts.preamble.insert(index, random.choice(parts.preamble).copy())
        case 2:
            random.shuffle(parts.preamble)


# Records


def _record(random: Random, parts: Parts) -> None:
    packet = _pick(random, parts)
    if packet is not None:
        packet.inconsistent = random.random() < 0.3
        packet.record[random.randrange(len(packet.record))] = random.choice((*range(9), _number(random)))


def _length(random: Random, parts: Parts) -> None:
    packet = _pick(random, parts)
    if packet is not None:
        packet.inconsistent = True
        packet.record[LENGTH] = _number(random)


def _sender(random: Random, parts: Parts) -> None:
    packet = _pick(random, parts)
    if packet is not None:
        packet.record[SENDER] = random.randrange(4)


def _connection(random: Random, parts: Parts) -> None:
    number = random.choice((1, 2, 3, 2**32 - 1))
    for item in random.sample(parts.items, min(len(parts.items), random.randrange(20))):
        if isinstance(item, Packet):
            item.record[CONNECTION] = number


def _times(random: Random, parts: Parts) -> None:
    packet = _pick(random, parts)
    if packet is not None:
        packet.record[random.choice((10, 11))] = _number(random)


def _tags(random: Random, parts: Parts) -> None:
    packet = _pick(random, parts)
    if packet is not None:
        packet.tags = _noise(random, packet.tags)


# Messages


def _header(random: Random, parts: Parts) -> None:
    packet = _pick(random, parts, _is_message)
    if packet is not None:
        header = list(MESSAGE.unpack_from(packet.body))
        index = random.randrange(3)
        header[index] = _number(random) if index else random.choice((*range(50), *range(1000, 1012), _number(random)))
        packet.body = packed(MESSAGE, header) + packet.body[MESSAGE.size :]


def _flags(random: Random, parts: Parts) -> None:
    packet = _pick(random, parts, _is_message)
    if packet is not None:
        number, flags, size = MESSAGE.unpack_from(packet.body)
        flags ^= random.choice((1, 3, 4, 8, 0x10))
        packet.body = MESSAGE.pack(number, flags, size) + packet.body[MESSAGE.size :]


def _payload(random: Random, parts: Parts) -> None:
    packet = _pick(random, parts, _is_message)
    if packet is not None:
        payload = bytearray(packet.body[MESSAGE.size :])
        for _ in range(random.randrange(1, 4)):
            width = random.choice((1, 2, 4, 8))
            index = random.randrange(max(1, len(payload) // width)) * width
            payload[index : index + width] = (_number(random) & (1 << 8 * width) - 1).to_bytes(width, "little")
        packet.body = packet.body[: MESSAGE.size] + payload


def _payload_size(random: Random, parts: Parts) -> None:
    """Makes the payload longer or shorter, with the right size in the header."""
    packet = _pick(random, parts, _is_message)
    if packet is not None:
        number, flags, _ = MESSAGE.unpack_from(packet.body)
        payload = packet.body[MESSAGE.size :]
        size = random.choice((0, 1, 4, 7, 8, 12, 40, 256, 4096, 70000))
        payload = (payload + random.randbytes(min(size, 64)) * (size // 64 + 1))[:size] if size else b""
        packet.body = MESSAGE.pack(number, flags, len(payload)) + payload


def _big_endian(random: Random, parts: Parts) -> None:
    for item in parts.items:
        if isinstance(item, Packet) and _is_message(item):
            item.record[5] |= 0x20
            if random.random() < 0.9:
                item.body = b"".join(item.body[at : at + 4][::-1] for at in range(0, len(item.body), 4))


# Descriptors


def _descriptor(random: Random, parts: Parts) -> None:
    packet = _pick(random, parts, lambda packet: bool(packet.descriptors))
    if packet is not None:
        each = random.choice(packet.descriptors)
        match random.randrange(5):
            case 0:
                each.name = random.choice(_NAMES)
            case 1:
                each.identity = random.choice(_NAMES)[:255]
            case 2:
                each.fields[1] = random.choice((*range(14), 255))
            case 3:
                each.fields[random.randrange(4, len(each.fields))] = _number(random)
            case 4:
                each.fields[random.randrange(len(each.fields))] = _number(random)


def _descriptors(random: Random, parts: Parts) -> None:
    packet = _pick(random, parts)
    if packet is not None:
        if packet.descriptors and random.random() < 0.4:
            packet.descriptors = []
        else:
            kind = random.choice(range(13))
            fields = [0, kind, 0, 0, 0, _number(random), 4096, -1, 2]
            made = Descriptor(fields, b"%d" % random.randrange(4), random.choice(_NAMES))
            packet.descriptors += [made] * random.choice((1, 1, 2, 300))


# Events


def _event(random: Random, parts: Parts) -> None:
    packet = _pick(random, parts, lambda packet: not packet.is_message)
    if packet is None:
        packet = _pick(random, parts)
        if packet is None:
            return
        packet.record[1:5:3], packet.body = [random.randrange(2, 9), 2], b"{}"
    try:
        details = json.loads(packet.body)
    except (ValueError, RecursionError):
        details = {}
    if not isinstance(details, dict):
        return
    keys = [*details, "by", "how", "messages", "reason", "text", "front_end_command", "front_end_pid", "\x1b", ""]
    for _ in range(random.randrange(1, 4)):
        details[random.choice(keys)] = random.choice(_VALUES)
    packet.body = json.dumps(details).encode()
    match random.randrange(8):
        case 0:
            packet.body = _noise(random, packet.body)
        case 1:
            packet.body = random.choice((b"[" * 20000, b"1", b"", b"null", b'{"a":' + b"9" * 5000 + b"}", b'{"a":NaN}'))


def _new_event(random: Random, parts: Parts) -> None:
    packet = _pick(random, parts)
    if packet is not None:
        made = packet.copy()
        made.record[1], made.record[SENDER], made.descriptors, made.body = random.randrange(2, 8), 2, [], b"{}"
        parts.items.insert(random.randrange(len(parts.items) + 1), made)


# Order


def _repeat(random: Random, parts: Parts) -> None:
    if parts.items:
        start = random.randrange(len(parts.items))
        run = parts.items[start : start + random.choice((1, 2, 10))]
        index = random.randrange(len(parts.items) + 1)
        parts.items[index:index] = [item.copy() for _ in range(random.choice((1, 1, 3, 10))) for item in run]


def _delete(random: Random, parts: Parts) -> None:
    if parts.items:
        start = random.randrange(len(parts.items))
        del parts.items[start : start + random.choice((1, 1, 3, 20))]


def _swap(random: Random, parts: Parts) -> None:
    if parts.items:
        start = random.randrange(len(parts.items))
        run = parts.items[start : start + random.choice((2, 3, 20))]
        random.shuffle(run)
        parts.items[start : start + len(run)] = run


def _splice(random: Random, parts: Parts) -> None:
    other = _base(random)
    index = random.randrange(len(parts.items) + 1)
    if random.random() < 0.3:
        parts.items[index:index] = [*other.preamble, *other.items[:20]]
    else:
        parts.items[index:index] = other.items[: random.choice((1, 5, 40))]


_MUTATIONS: tuple[Mutation, ...] = (
    _block_noise,
    _bad_options,
    _interface,
    _preamble,
    _record,
    _record,
    _length,
    _sender,
    _connection,
    _times,
    _tags,
    _header,
    _header,
    _flags,
    _payload,
    _payload,
    _payload,
    _payload_size,
    _big_endian,
    _descriptor,
    _descriptor,
    _descriptors,
    _event,
    _event,
    _new_event,
    _repeat,
    _delete,
    _swap,
    _splice,
)


# Bytes


def _noise(random: Random, data: bytes) -> bytes:
    """Changes, adds or removes a few bytes."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        index = random.randrange(len(changed) + 1)
        match random.randrange(6):
            case 0 if index < len(changed):
                changed[index] ^= 1 << random.randrange(8)
            case 1 if index < len(changed):
                changed[index] = random.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                changed[index:index] = random.randbytes(random.choice((1, 4, 30)))
            case 3:
                del changed[index : index + random.choice((1, 4, 30))]
            case 4:
                word = (_number(random) & 0xFFFFFFFF).to_bytes(4, "little")
                changed[index // 4 * 4 : index // 4 * 4 + 4] = word
            case 5 if random.random() < 0.3:
                del changed[index:]
    return bytes(changed)


_WRAPPINGS: tuple[Callable[[Random, bytes], bytes], ...] = (
    lambda random, data: gzip.compress(data, 1),
    lambda random, data: gzip.compress(data, 1)[: random.randrange(len(data) + 1)],
    lambda random, data: _noise(random, gzip.compress(data, random.choice((0, 1)))),
    lambda random, data: gzip.compress(gzip.compress(data, 1), 1),
    lambda random, data: zstandard.compress(data, 1),
    lambda random, data: _noise(random, zstandard.compress(data, 1)),
    lambda random, data: zstandard.compress(data, 1)[: random.randrange(len(data) + 1)],
    lambda random, data: b"",
)
