"""Replays in which both the recording and the live peer are conversations, written as transcripts."""

from collections import deque
from collections.abc import Iterable
from typing import Any

from vudissect.capture.record import Record, RecordKind
from vudissect.conversation.text import read_conversation
from vudissect.host.make import make
from vudissect.replay import InMemory, Options, Outcome, Override, Policy, RawMessage, Side, replay, script_of

OPENED = "--- connection front-end=qemu back-end=disk"
CLOSED = "--- closed by front-end"
HANG_UP = RawMessage(b"")


def records_of(*lines: str) -> list[Record]:
    """The lines between the opening and the closing of a connection, as records."""
    records = read_conversation("\n".join((OPENED, *lines, CLOSED))).records
    return [record._replace(frame=frame) for frame, record in enumerate(records, 1)]


class LivePeer:
    """Sends its part of a conversation, whatever the other side sends: each time up to the other side's next turn."""

    def __init__(self, records: Iterable[Record], side: Side) -> None:
        self._script = deque(record for record in records if record.kind is not RecordKind.CONNECTION_OPENED)
        self._side = side
        self.heard: list[RawMessage] = []

    def speak(self) -> list[RawMessage]:
        said = []
        while self._script and self._script[0].sender is self._side:
            record = self._script.popleft()
            said.append(RawMessage(record.data, tuple(make(descriptor).fd for descriptor in record.descriptors)))
        if self._script and self._script[0].details.get("by") == self._side.label:
            said.append(HANG_UP)
        return said

    def hear(self, raw: RawMessage) -> list[RawMessage]:
        self.heard.append(raw)
        if self._script:
            self._script.popleft()
        return self.speak()


def play(
    recorded: Iterable[str],
    live: Iterable[str] | None = None,
    side: Side = Side.FRONT_END,
    overrides: Iterable[Override] = (),
    **options: Any,
) -> Outcome:
    """Play `side` of the recording against a peer that behaves as in `live` (as recorded, if that is None)."""
    script = script_of(records_of(*recorded), side)
    peer = LivePeer(records_of(*(recorded if live is None else live)), script.other)
    return replay(script, InMemory(peer.hear, peer.speak()), Policy(overrides), Options(timeout=0.2, **options))


def told(outcome: Outcome) -> list[tuple[int, str, str]]:
    """Frame, message and field of each difference."""
    return [(difference.frame, difference.message, difference.field) for difference in outcome.differences]
