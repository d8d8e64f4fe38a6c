"""Changes to a session, by knowledge of the message table. All of them come from one `Random`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from struct import calcsize
from typing import Any

from vudissect.fuzz.channel_mutations import use_a_channel
from vudissect.fuzz.ring_mutations import use_a_ring
from vudissect.fuzz.steps import MOST_STEPS, HangUp, Message, Steps, described, in_turn, message
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.model import Channel, Field, Layout, Meaning
from vudissect.protocol.table import UPSTREAM
from vudissect.wire.codec import codec_of, layout_codec
from vudissect.wire.header import HEADER_SIZE, NEED_REPLY, REPLY, struct_of

_HEADER = struct_of("III", "little")
_MOST_STACKED = 4
_SPLICED, _WHOLE, _COUNTED = 0.03, 0.5, 0.7
_LARGEST = 0x1_0000
_ADDRESSES = frozenset({Meaning.USER_ADDRESS, Meaning.GUEST_ADDRESS, Meaning.RING_ADDRESS, Meaning.IOVA})
_RING_INDEX = (1, 2, 7, 8, 64, 127, 128, 255, 256, 1023, 1024)
_PAYLOAD_SIZES = (0, 1, 4, 7, 8, 9, 12, 40, 72, 256, 264, 304, 4096, 0xFFFF)
_HEADER_SIZES = (0, 1, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFF4, 0xFFFF_FFFF)
_FLAGS = (0, 0x1, 0x2, 0x3, REPLY | 1, NEED_REPLY | 1, NEED_REPLY | REPLY | 1, 0x11, 0xFFFF_FFFF)
_NUMBERS = tuple(row.id for row in UPSTREAM.channel(Channel.MAIN))

Mutation = Callable[[Steps, Random], Steps]


def mutate(
    steps: Steps,
    others: Sequence[Steps],
    random: Random,
    mutations: Sequence[Mutation] = (),
    weights: Sequence[int] = (),
) -> Steps:
    """A session with one to a few changes, by default those to a front-end's; `others` are ones to take parts from."""
    for _ in range(random.randint(1, _MOST_STACKED)):
        if random.random() < _SPLICED:
            steps = splice(steps, random.choice(others), random)
        else:
            steps = random.choices(mutations or _MUTATIONS, weights or _WEIGHTS)[0](steps, random)
    return in_turn(steps[:MOST_STEPS])


def splice(steps: Steps, other: Steps, random: Random) -> Steps:
    """The beginning of one session, and the end of another."""
    if not steps or not other:
        return steps
    return steps[: random.randint(1, len(steps))] + other[random.randrange(len(other)) :]


def change_field(steps: Steps, random: Random) -> Steps:
    """A field at one of its limits."""
    return _changed(steps, random, with_field)


def change_descriptors(steps: Steps, random: Random) -> Steps:
    """A descriptor is missing, too much, of another kind, or too small."""
    return _changed(steps, random, _with_descriptors)


def change_header(steps: Steps, random: Random) -> Steps:
    """Flags that do not fit, or a size that is not that of the payload."""
    return _changed(steps, random, _with_header)


def change_payload(steps: Steps, random: Random) -> Steps:
    """A payload that is shorter or longer, with the size in the header to match, or a few bytes changed."""
    return _changed(steps, random, _with_payload)


def drop(steps: Steps, random: Random) -> Steps:
    """A run of steps is left out."""
    if len(steps) < 2:
        return steps
    at = random.randrange(len(steps))
    return steps[:at] + steps[at + random.choice((1, 1, 1, 2, 4)) :]


def repeat(steps: Steps, random: Random) -> Steps:
    """A step is there again, next to itself or elsewhere."""
    if not steps:
        return steps
    at = random.randrange(len(steps))
    to = random.choice((at, random.randint(0, len(steps))))
    return steps[:to] + (steps[at],) * random.choice((1, 1, 1, 2, 8)) + steps[to:]


def move(steps: Steps, random: Random) -> Steps:
    """A step comes earlier or later."""
    if len(steps) < 2:
        return steps
    at = random.randrange(len(steps))
    rest = steps[:at] + steps[at + 1 :]
    to = random.randint(0, len(rest))
    return (*rest[:to], steps[at], *rest[to:])


def insert(steps: Steps, random: Random) -> Steps:
    """A message that the session does not have, with a plausible or an empty payload, known or not."""
    number = random.choice(_NUMBERS) if random.random() < 0.9 else random.choice((0, 200, 1000, 0x8000_0000))
    row = UPSTREAM.request(Channel.MAIN, number)
    payload = b""
    if row is not None and row.request:
        layout = random.choice(row.request)
        payload = bytes(layout.size if layout.size is not None else layout.fixed_size)
    at = random.randint(0, len(steps))
    made = message(number, payload, some_descriptors(random))
    if row is not None and payload:
        made = replace(with_field(made, random), was=None)
    return (*steps[:at], made, *steps[at:])


def hang_up(steps: Steps, random: Random) -> Steps:
    """The connection ends here, and what follows is on another one; or the whole session is there again after it."""
    at = random.randint(0, len(steps))
    return (*steps[:at], HangUp(), *(steps if random.random() < _WHOLE else steps[at:]))


def _changed(steps: Steps, random: Random, change: Callable[[Message, Random], Message]) -> Steps:
    places = [place for place, step in enumerate(steps) if isinstance(step, Message)]
    if not places:
        return steps
    at = random.choice(places)
    step = steps[at]
    assert isinstance(step, Message)
    made = change(step, random)
    return (*steps[:at], replace(made, was=step.was or step), *steps[at + 1 :])


# One message


def with_field(step: Message, random: Random) -> Message:
    """A message with one of its fields changed."""
    if step.row is None or not step.whole:
        return step
    decoded = codec_of(UPSTREAM, "little").decode(step.channel, step.sender, step.data)
    if not decoded.fits or not decoded.values:
        return step
    values = _with_value(decoded.layout, decoded.values, random)
    payload = layout_codec(decoded.layout, "little").encode(values)
    size = decoded.size if random.random() < 0.1 else len(payload)
    return replace(step, data=_HEADER.pack(decoded.id, decoded.flags, size) + payload)


def _with_value(layout: Layout, values: tuple[Any, ...], random: Random) -> tuple[Any, ...]:
    """The values of a payload with one of them changed, or with another number of entries."""
    fields = layout.fields
    # What nobody looks at is changed with the payload as a whole.
    places = [at for at in range(len(values)) if at >= len(fields) or fields[at].meaning is not Meaning.PADDING]
    at = random.choice(places or range(len(values)))
    if at < len(layout.fields):
        changed: Any = _value(layout.fields[at], values[at], values, random)
    elif layout.array is not None:
        changed = _entries(layout.array.entry, values[at], random)
    else:
        changed = values[at][: random.randint(0, len(values[at]))] + bytes(random.choice((0, 1, 256)))
    values = (*values[:at], changed, *values[at + 1 :])
    if at == len(layout.fields) and layout.array is not None and random.random() < _COUNTED:
        values = _counted(layout, values)
    return values


def _counted(layout: Layout, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values with the number of entries that there are in the field that counts them."""
    assert layout.array is not None
    if not isinstance(layout.array.count, str):
        return values
    at = layout.names.index(layout.array.count)
    return (*values[:at], len(values[-1]), *values[at + 1 :])


def _entries(entry: Layout, entries: tuple[Any, ...], random: Random) -> tuple[Any, ...]:
    if not entries:
        return entries
    at = random.randrange(len(entries))
    if random.random() < 0.2:
        return entries + (entries[at],) * random.choice((1, 8, 64))
    return (*entries[:at], _with_value(entry, entries[at], random), *entries[at + 1 :])


def _value(field: Field, value: Any, others: Sequence[Any], random: Random) -> Any:
    if isinstance(value, bytes):
        return bytes(random.choice((0, 0xFF, random.randrange(256))) for _ in value)
    bits = 8 * calcsize(f"={field.code}")
    return random.choice(_limits(field, value, others, bits, random)) % (1 << bits) - _sign(field, bits)


def _sign(field: Field, bits: int) -> int:
    return 1 << (bits - 1) if field.code.islower() else 0


def _limits(field: Field, value: int, others: Sequence[Any], bits: int, random: Random) -> list[int]:
    """Values at which something may break, as unsigned numbers."""
    power = 1 << random.randrange(bits)
    limits = [0, 1, (1 << bits) - 1, 1 << (bits - 1), (1 << (bits - 1)) - 1, power, power - 1, power + 1]
    limits += [value ^ power, value + 1, value - 1, value << 1]
    if field.meaning is Meaning.RING:
        limits += _RING_INDEX
    if field.choices:
        limits += [*field.choices, max(field.choices) + 1]
    if field.meaning in _ADDRESSES or bits == 64:
        # Just across the end, between pages, and where an address and a length wrap.
        lengths = [other for other in others if isinstance(other, int) and other]
        length = random.choice(lengths) if lengths else 0x1000
        limits += [value + length, value + length - 1, -length, -length + 1, value + 1, value + 0x800, value - 0x1000]
        limits += [(1 << 47) - 0x1000, -0x1000]
    return limits


def _with_header(step: Message, random: Random) -> Message:
    if len(step.data) < HEADER_SIZE:
        return step
    number, flags, size = _HEADER.unpack_from(step.data)
    if random.random() < 0.4:
        flags = random.choice(_FLAGS)
    elif random.random() < 0.8:
        size = random.choice((*_HEADER_SIZES, size + 1, max(0, size - 1), size + 8))
    else:
        number = random.choice(_NUMBERS)
    return replace(step, data=_HEADER.pack(number, flags, size) + step.data[HEADER_SIZE:])


def _with_payload(step: Message, random: Random) -> Message:
    if len(step.data) < HEADER_SIZE:
        return step
    number, flags, _ = _HEADER.unpack_from(step.data)
    payload = bytearray(step.data[HEADER_SIZE:])
    if random.random() < 0.5 and payload:
        for _ in range(random.choice((1, 1, 2, 8))):
            payload[random.randrange(len(payload))] = random.choice((0, 0xFF, 0x80, random.randrange(256)))
    else:
        size = min(_LARGEST, random.choice((*_PAYLOAD_SIZES, len(payload) + 1, max(0, len(payload) - 1))))
        payload = payload[:size].ljust(size, b"\0")
    return replace(step, data=_HEADER.pack(number, flags, len(payload)) + payload)


def _with_descriptors(step: Message, random: Random) -> Message:
    given = list(step.descriptors)
    at = random.randrange(len(given)) if given else 0
    what = random.randrange(5)
    if not given or what == 0:
        given[at:at] = some_descriptors(random) or (_stranger(random),)
    elif what == 1:
        del given[at]
    elif what == 2:
        given[at] = _smaller(given[at], random)
    elif what == 3:
        given[at:at] = [given[at]] * random.choice((1, 2, 7, 30))
    else:
        given[at] = _stranger(random)
    return replace(step, descriptors=tuple(given))


def some_descriptors(random: Random) -> tuple[Descriptor, ...]:
    """Descriptors that nobody expects, or none."""
    return tuple(_stranger(random) for _ in range(random.choice((0, 0, 1, 1, 2, 8))))


def _stranger(random: Random) -> Descriptor:
    """A descriptor that the session does not have; only a few different ones, so that some come again."""
    return random.choice(_STRANGERS)


def _smaller(descriptor: Descriptor, random: Random) -> Descriptor:
    """Memory that is shorter than it should be; another kind of descriptor in place of any other."""
    if descriptor.kind is not DescriptorKind.MEMFD:
        return _stranger(random)
    size = random.choice((0, 1, 4096, descriptor.size // 2, max(0, descriptor.size - 4096)))
    return described("mem", f"short{size}", f"memfd short {size}")


_STRANGERS = (
    described("evt", "x1"),
    described("evt", "x2"),
    described("mem", "x3", "memfd x 0"),
    described("mem", "x4", "memfd x 4K"),
    described("mem", "x5", "memfd x 2M seals 0xf"),
    described("sock", "x6"),
    described("sock", "x7", "dgram"),
    described("pipe", "x8"),
    described("pipe", "x9", "to read"),
    described("pidfd", "x10"),
)

_MUTATIONS: tuple[Mutation, ...] = (
    change_field,
    change_descriptors,
    change_header,
    change_payload,
    drop,
    repeat,
    move,
    insert,
    hang_up,
    use_a_ring,
    use_a_channel,
)
_WEIGHTS = (30, 12, 4, 6, 8, 6, 6, 10, 4, 14, 6)
