"""What a front-end may not do on the other channels: to requests of the back-end, with the streams and the memory that
it passes besides that of the guest, and with entries of the IOTLB."""

from random import Random

from vudissect.fuzz.places import state_after
from vudissect.fuzz.steps import SILENCE, Close, Message, Send, Steps, Write, described, message
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.model import Channel, FdKind, Row
from vudissect.protocol.payloads import ACK, IOTLB, IOTLB_INVALIDATE, IOTLB_UPDATE
from vudissect.protocol.table import UPSTREAM
from vudissect.wire.codec import layout_codec
from vudissect.wire.fields import from_fields
from vudissect.wire.header import NEED_REPLY, REPLY, VERSION, struct_of

_HEADER = struct_of("III", "little")
_VALUES = (0, 1, 2, (1 << 32) - 1, 1 << 63, (1 << 64) - 1)
_FLAGS = (0, VERSION, REPLY, VERSION | REPLY | NEED_REPLY, 0xFFFF_FFFF)
_SIZES = (0, 1, 4, 7, 9, 16, 256, 4096)
_HEADER_SIZES = (0, 1, 7, 9, 4096, 0x7FFF_FFFF, 0xFFFF_FFFF)
_STREAMS = {FdKind.SOCKET: ("sock", "y1", ""), FdKind.PIPE: ("pipe", "y2", "to read")}
_MEMORY = ("mem", "y3", "memfd other 4K")
_STREAM_KINDS = (DescriptorKind.SOCKET, DescriptorKind.PIPE)
_MEMORY_KINDS = (DescriptorKind.MEMFD, DescriptorKind.FILE)
_PAGE = 0x1000
_MOST_ENTRIES = 3
_ROWS = UPSTREAM.channel(Channel.MAIN)
_ASKING = (Channel.BACKEND, Channel.GPU)


def use_a_channel(steps: Steps, random: Random) -> Steps:
    """An answer on another channel, a stream or memory that is passed besides, or the IOTLB."""
    return random.choice((_answer, _answer, _stream, _memory, _iotlb))(steps, random)


def _answer(steps: Steps, random: Random) -> Steps:
    """A request of the back-end will be answered wrongly, twice, not at all, or with descriptors that nobody wants."""
    at = random.randint(0, len(steps))
    what = random.randrange(6)
    if what == 5:
        return (*steps[:at], SILENCE, *steps[at:])
    channel = random.choice(_ASKING)
    number, flags = random.choice(UPSTREAM.channel(channel)).id, VERSION | REPLY
    payload = random.choice(_VALUES).to_bytes(ACK.size or 0, "little")
    size = len(payload)
    descriptors: tuple[Descriptor, ...] = ()
    if what == 0:
        flags = random.choice(_FLAGS)
    elif what == 1:
        payload = bytes(random.choice(_SIZES))
        size = len(payload)
    elif what == 2:
        size = random.choice(_HEADER_SIZES)
    elif what == 3:
        descriptors = (described("evt", "y4"),) * random.choice((1, 2, 8))
    data = _HEADER.pack(number, flags, size) + payload
    if what == 4:
        data += data
    return (*steps[:at], Message(data, descriptors, channel=channel), *steps[at:])


def _stream(steps: Steps, random: Random) -> Steps:
    """The other end of a pipe or socket that is passed brings half of something, or is closed early."""
    steps, at, descriptor = _passing(steps, random, _STREAM_KINDS, tuple(_STREAMS))
    if descriptor is None:
        return steps
    made: Steps = (Send(descriptor, random.randbytes(random.choice((1, 4, 11, 12, 64)))),)
    what = random.randrange(3)
    made = (Close(descriptor),) if what == 0 else (*made, Close(descriptor)) if what == 1 else made
    return (*steps[:at], *made, *steps[at:])


def _memory(steps: Steps, random: Random) -> Steps:
    """Something is in a log, or in in-flight memory, that the back-end did not write."""
    steps, at, descriptor = _passing(steps, random, _MEMORY_KINDS, (FdKind.MEMORY,))
    if descriptor is None or descriptor.size < _PAGE:
        return steps
    contents = random.choice((b"\xff" * 64, random.randbytes(64), b"\1\0" * 32, b"\0\0\0\x80" * 16))
    written = Write(descriptor, random.choice((0, 8, 10, 12, 64, descriptor.size - 64)), contents)
    return (*steps[:at], written, *steps[at:])


def _passing(
    steps: Steps, random: Random, kinds: tuple[DescriptorKind, ...], wanted: tuple[FdKind, ...]
) -> tuple[Steps, int, Descriptor | None]:
    """The place after a message that passes such a descriptor, which is put there if there is none, and the latter."""
    rows = {row.id: row for row in _ROWS if row.fds.kind in wanted and not row.fds.per}
    places = [
        (at, each)
        for at, step in enumerate(steps, 1)
        if isinstance(step, Message) and step.number in rows
        for each in step.descriptors
        if each.kind in kinds
    ]
    if places:
        return steps, *random.choice(places)
    at = random.randint(0, len(steps))
    made = _opener(random.choice(list(rows.values())))
    return (*steps[:at], made, *steps[at:]), at + 1, made.descriptors[0]


def _opener(row: Row) -> Message:
    layout = row.request[0] if row.request else None
    payload = bytes(layout.fixed_size) if layout is not None else b""
    return message(row.id, payload, (described(*_STREAMS.get(row.fds.kind, _MEMORY)),))


def _iotlb(steps: Steps, random: Random) -> Steps:
    """Entries for memory of the session, most of them with something wrong."""
    at = random.randint(0, len(steps))
    state = state_after(steps[:at])
    regions = state.memory.regions if state is not None else ()
    (row,) = (each for each in _ROWS if IOTLB in each.request)
    entries = []
    for _ in range(random.randint(1, _MOST_ENTRIES)):
        region = random.choice(regions) if regions else None
        start, size, user = (region.guest_addr, region.size, region.user_addr) if region else (0, _PAGE, 0)
        fields = {
            "iova": random.choice((start, start, start + size, (1 << 64) - _PAGE)),
            "size": random.choice((_PAGE, size, size + 1, 0, 1, (1 << 64) - 1)),
            "user_addr": random.choice((user, user, user + size - 1, user + size, 0, (1 << 64) - _PAGE)),
            "perm": random.choice((3, 3, 1, 2, 0, 0xFF)),
            "type": random.choice((IOTLB_UPDATE, IOTLB_UPDATE, IOTLB_INVALIDATE, *range(8), 0xFF)),
        }
        entries.append(message(row.id, layout_codec(IOTLB, "little").encode(from_fields(IOTLB, fields))))
    return (*steps[:at], *entries, *steps[at:])
