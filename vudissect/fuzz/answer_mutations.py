"""Changes to a session of a back-end: its answers, what it sends unasked, and requests on its own channel."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from vudissect.fuzz.mutate import (
    change_descriptors,
    change_field,
    change_header,
    change_payload,
    mutate,
    some_descriptors,
    with_field,
)
from vudissect.fuzz.steps import SILENCE, HangUp, Message, Steps
from vudissect.protocol.model import Channel, Layout, Row, Side
from vudissect.protocol.payloads import ACK
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import UPSTREAM
from vudissect.wire.header import HEADER_SIZE, NEED_REPLY, REPLY, VERSION, struct_of

_HEADER = struct_of("III", "little")
_WORD = struct_of("Q", "little")
_ALL = (1 << 64) - 1
_OFFERS = frozenset({Purpose.OFFER_FEATURES, Purpose.OFFER_PROTOCOL_FEATURES})
_WHOLE, _HALF = 0.5, 0.5
_MOST_CHANGED = 3
_ANSWERS = tuple(UPSTREAM.channel(Channel.MAIN))
_REQUESTS = tuple(UPSTREAM.channel(Channel.BACKEND))


def derive(steps: Steps, others: Sequence[Steps], random: Random) -> Steps:
    """A session of a back-end with one to a few changes; `others` are sessions to take parts from."""
    return mutate(steps, others, random, _MUTATIONS, _WEIGHTS)


def change_offer(steps: Steps, random: Random) -> Steps:
    """Feature bits more or less in an offer, or all, or none."""
    places = [at for at, step in enumerate(steps) if isinstance(step, Message) and _is_offer(step)]
    if not places:
        return steps
    at = random.choice(places)
    step = steps[at]
    assert isinstance(step, Message)
    (word,) = _WORD.unpack(step.data[HEADER_SIZE:])
    if random.random() < _HALF:
        for _ in range(random.randint(1, _MOST_CHANGED)):
            word ^= 1 << random.randrange(64 if random.random() < _HALF else 24)
    else:
        word = random.choice((0, _ALL, word ^ _ALL))
    made = replace(step, data=step.data[:HEADER_SIZE] + _WORD.pack(word), was=step.was or step)
    return (*steps[:at], made, *steps[at + 1 :])


def _is_offer(step: Message) -> bool:
    return step.row is not None and step.row.purpose in _OFFERS and len(step.data) == HEADER_SIZE + _WORD.size


def withhold(steps: Steps, random: Random) -> Steps:
    """A message is not answered."""
    at = _place(steps, random)
    return steps if at is None else (*steps[:at], SILENCE, *steps[at + 1 :])


def repeat(steps: Steps, random: Random) -> Steps:
    """An answer or a request comes again, at once or later."""
    at = _place(steps, random)
    if at is None:
        return steps
    to = random.choice((at, random.randint(at, len(steps))))
    return steps[:to] + (steps[at],) * random.choice((1, 1, 2, 8)) + steps[to:]


def move(steps: Steps, random: Random) -> Steps:
    """An answer comes where another one should."""
    at, other = _place(steps, random), _place(steps, random)
    if at is None or other is None:
        return steps
    moved, made = steps[at], list(steps)
    if random.random() < _HALF:
        made[at], made[other] = made[other], moved
    else:
        made[other] = moved
    return tuple(made)


def answer_unasked(steps: Steps, random: Random) -> Steps:
    """An answer that nobody waits for, or that is one to another message."""
    row = random.choice(_ANSWERS)
    layout = random.choice((*row.reply, ACK))
    made = Message(_packed(row, layout, VERSION | REPLY), some_descriptors(random), sender=Side.BACK_END)
    at = random.randint(0, len(steps))
    return (*steps[:at], _with_fields(made, random), *steps[at:])


def ask(steps: Steps, random: Random) -> Steps:
    """Requests on the channel of the back-end, whether they may be sent there or not."""
    row = random.choice(_REQUESTS)
    flags = VERSION | (NEED_REPLY if random.random() < _HALF else 0)
    layout = random.choice(row.request)
    made = Message(_packed(row, layout, flags), some_descriptors(random), sender=Side.BACK_END, channel=Channel.BACKEND)
    at = random.randint(0, len(steps))
    asked = tuple(_with_fields(made, random) for _ in range(random.choice((1, 1, 1, 2, 8))))
    return steps[:at] + asked + steps[at:]


def hang_up(steps: Steps, random: Random) -> Steps:
    """The connection ends here, and what follows is on another one; or the whole session is there again after it."""
    at = random.randint(0, len(steps))
    return (*steps[:at], HangUp(by=Side.BACK_END), *(steps if random.random() < _WHOLE else steps[at:]))


def _place(steps: Steps, random: Random) -> int | None:
    places = [at for at, step in enumerate(steps) if isinstance(step, Message)]
    return random.choice(places) if places else None


def _packed(row: Row, layout: Layout, flags: int) -> bytes:
    size = layout.size if layout.size is not None else layout.fixed_size
    return _HEADER.pack(row.id, flags, size) + bytes(size)


def _with_fields(made: Message, random: Random) -> Message:
    for _ in range(random.randint(0, _MOST_CHANGED)):
        made = with_field(made, random)
    return made


_MUTATIONS: tuple[Callable[[Steps, Random], Steps], ...] = (
    change_field,
    change_offer,
    change_header,
    change_payload,
    change_descriptors,
    withhold,
    repeat,
    move,
    answer_unasked,
    ask,
    hang_up,
)
_WEIGHTS = (24, 10, 8, 8, 6, 3, 5, 5, 5, 16, 6)
