"""Where sessions come from: captures, and sessions that are played with the program itself."""

from collections.abc import Iterable
from dataclasses import replace

from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.check.discovery import Discovered
from vudissect.check.model import Case
from vudissect.fuzz.steps import MOST_STEPS, HangUp, Message, Step, Steps, Wait, described, in_turn, step_of
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.model import Side
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import UPSTREAM
from vudissect.session.names import PREFIXES
from vudissect.wire.codec import codec_of

_MEMORY = (DescriptorKind.MEMFD, DescriptorKind.FILE)
_READ_ONLY = 0
_ACCESS = 3
_DAMAGED = Mark.DESCRIPTORS_LOST | Mark.CUT_SHORT

OWN = tuple(
    Case(f"SEED-{number}", title, "It works.", "no text: where the fuzzer begins", talk)
    for number, (title, talk) in enumerate(
        (
            (
                "a session with rings, which ends and begins again",
                """
                * ready
                * close
                * connect
                * ready
                """,
            ),
            (
                "all that is offered, with acknowledgements",
                """
                F>B GET_FEATURES
                F>B GET_PROTOCOL_FEATURES
                F>B SET_PROTOCOL_FEATURES all that was offered
                F>B SET_OWNER
                F>B GET_QUEUE_NUM
                F>B GET_CONFIG offset=0 size=8
                F>B SET_FEATURES all that was offered
                * memory
                F>B GET_INFLIGHT_FD num_queues=1 queue_size=128
                * start
                F>B GET_VRING_BASE ring 0
                F>B SET_LOG_BASE size=4K offset=0 mem#log (memfd log 4K)
                """,
            ),
        ),
        1,
    )
)
"""What a front-end does with a back-end of which nothing is recorded. How far it comes does not matter."""


def seeds_of(records: Iterable[Record], offered: Discovered | None = None, plays: Side = Side.FRONT_END) -> Steps:
    """One side of the sessions in a capture, one after the other; a front-end's with the features of this back-end.

    Only its beginning if it is long. A message of which bytes or descriptors are missing is left out.
    """
    renamed: dict[str, Descriptor] = {}
    steps: list[Step] = []
    for record in records:
        if record.marks & Mark.EARLIER or (record.kind is RecordKind.MESSAGE and _is_damaged(record)):
            continue
        if record.kind is RecordKind.CONNECTION_CLOSED:
            steps.append(HangUp(by=plays))
        elif isinstance(step := step_of(record, plays), Message | Wait):
            descriptors = tuple(_renamed(each, renamed) for each in step.descriptors)
            data = _offered(step, offered) if isinstance(step, Message) else step.data
            steps.append(replace(step, data=data, descriptors=descriptors, connection=1))
        if len(steps) == MOST_STEPS:
            break
    return in_turn(steps)


def _is_damaged(record: Record) -> bool:
    return record.is_cut or bool(record.marks & _DAMAGED)


def _offered(step: Message, offered: Discovered | None) -> bytes:
    row = step.row
    if offered is None or row is None or not step.whole:
        return step.data
    decoded = codec_of(UPSTREAM, "little").decode(step.channel, step.sender, step.data)
    words = {Purpose.ACK_FEATURES: offered.features, Purpose.ACK_PROTOCOL_FEATURES: offered.protocol_features}
    if row.purpose not in words or not decoded.fits:
        return step.data
    word = decoded.values[0] & words[row.purpose]
    return codec_of(UPSTREAM, "little").encode(row, decoded.layout, (word,))


def _renamed(descriptor: Descriptor, known: dict[str, Descriptor]) -> Descriptor:
    """The same descriptor as a conversation describes it."""
    identity = descriptor.identity or f"?{len(known)}"
    if identity not in known:
        known[identity] = _described(descriptor, str(len(known) + 1))
    return known[identity]


def _described(descriptor: Descriptor, name: str) -> Descriptor:
    kind = PREFIXES.get(descriptor.kind, "fd")
    if descriptor.kind in _MEMORY:
        seals = f" seals {descriptor.seals:#x}" if descriptor.seals >= 0 else ""
        return described(kind, name, f"memfd ram {max(descriptor.size, 0)}{seals}")
    to_read = descriptor.kind is DescriptorKind.PIPE and descriptor.flags & _ACCESS == _READ_ONLY
    return described(kind, name, "to read" if to_read else "")
