"""A test language for `Direction`: its events and commands, as a log.

    assert Playbook() >> Read(NUM) << Send(NUM) >> Sent(20) << Recorded(NUM)

If it returns something else, the test fails with the difference of the two logs.
"""

from dataclasses import dataclass
from difflib import ndiff

from tests.proxy.harness import message
from vudissect.capture.record import Mark
from vudissect.protocol.model import Channel, Side
from vudissect.proxy.direction import Direction
from vudissect.proxy.events import (
    Command,
    Ended,
    Event,
    Framed,
    Gone,
    HandedOver,
    Inspect,
    Interpose,
    Interposed,
    LostDescriptors,
    Read,
    Record,
    Refused,
    Retry,
    Send,
    Sent,
)
from vudissect.proxy.passed import Flow, Numbering, Passed
from vudissect.wire.framing import Framer, Rights

NUM = message("SET_VRING_NUM", bytes(range(8)))
KICK = message("SET_VRING_KICK", bytes(range(8, 16)))
OPENER = message("SET_BACKEND_REQ_FD", b"opens...")
NO_MARKS = Mark(0)
NAMES = {NUM: "NUM", KICK: "KICK", OPENER: "OPENER"}
OPENERS = frozenset({int.from_bytes(OPENER[:4], "little")})


def fd(token: int) -> Rights:
    """A substitute for a descriptor: nothing here looks into it."""
    return [(1, 1, bytes([token]))]


@dataclass(frozen=True)
class Recorded:
    """Messages recorded together, the first of them with this number."""

    messages: tuple[bytes, ...]
    number: int
    marks: Mark
    rights: Rights

    def __init__(self, *messages: bytes, number: int = 1, marks: Mark = NO_MARKS, rights: Rights | None = None) -> None:
        object.__setattr__(self, "messages", messages)
        object.__setattr__(self, "number", number)
        object.__setattr__(self, "marks", marks)
        object.__setattr__(self, "rights", rights or [])


class Playbook:
    """A direction, with its expected and its actual log."""

    def __init__(self, *, snaplen: int = 1 << 16) -> None:
        flow = Flow(Numbering(1), Channel.MAIN, Side.FRONT_END)
        self.direction = Direction(flow, Framer("little"), snaplen, OPENERS)
        self._expected: list[str] = []
        self._actual: list[str] = []

    def __rshift__(self, event: Event) -> "Playbook":
        """This event happens."""
        line = f">> {_event(event)}"
        self._expected.append(line)
        self._actual.append(line)
        self._actual += [f"<< {_command(command)}" for command in self.direction.handle(event)]
        return self

    def __lshift__(self, command: Command | Recorded) -> "Playbook":
        """This command follows."""
        self._expected.append(f"<< {_recorded(command) if isinstance(command, Recorded) else _command(command)}")
        return self

    def __bool__(self) -> bool:
        """Whether the logs are equal."""
        if self._expected != self._actual:
            raise AssertionError("\n".join(("not as expected:", *ndiff(self._expected, self._actual))))
        return True


def _event(event: Event) -> str:
    match event:
        case Read():
            words = [_bytes(event.data), _rights(event.rights)]
            words += ["lost descriptors"] * event.lost + ["together with what was read before"] * event.together
            return " ".join(["read", *filter(None, words)])
        case Sent():
            return f"sent {event.count}"
        case Refused():
            return f"refused: {event.why.name.lower()}"
        case Gone():
            return f"the target is gone: {event.how}"
        case Interposed():
            return f"interposed {_rights(event.rights or []) or 'nothing'}"
        case Retry():
            return "retry"
        case Ended():
            return f"the source has ended: {event.how}"
        case Framed():
            return f"{len(event.messages)} messages that are framed already"


def _command(command: Command) -> str:
    match command:
        case Send():
            return " ".join(filter(None, ("send", _bytes(bytes(command.data)), _rights(command.rights))))
        case Interpose():
            return f"interpose {command.number} {_rights(command.rights)}"
        case HandedOver():
            return f"handed over with {command.sequence}"
        case Record():
            entry = command.entry
            if isinstance(entry, Passed):
                return _recorded(
                    Recorded(b"".join(entry.data), number=entry.sequence, marks=Mark(entry.marks), rights=entry.rights)
                )
            _, first, _, _, messages, marks = entry
            return _recorded(Recorded(*messages, number=first, marks=Mark(marks)))
        case Inspect():
            return f"inspect {_rights(command.message.rights)}"
        case LostDescriptors():
            return "lost descriptors"


def _recorded(recorded: Recorded) -> str:
    messages = " ".join(map(_bytes, recorded.messages))
    marks = " ".join(str(mark.name).lower() for mark in Mark if mark & recorded.marks)
    return " ".join(filter(None, (f"record {recorded.number}:", messages, _rights(recorded.rights), marks)))


def _rights(rights: Rights) -> str:
    return " ".join(f"fd#{data[0]}" for _, _, data in rights)


def _bytes(data: bytes) -> str:
    """The bytes in terms of the named messages."""
    for whole, name in NAMES.items():
        if data == whole:
            return name
        if data.startswith(whole):
            return f"{name} {_bytes(data[len(whole) :])}"
        place = whole.find(data)
        if data and place >= 0:
            start, end = str(place or ""), str(place + len(data) if place + len(data) < len(whole) else "")
            return f"{name}[{start}:{end}]"
    return data.hex() if len(data) <= 40 else f"{data[:20].hex()}... ({len(data)} bytes)"
