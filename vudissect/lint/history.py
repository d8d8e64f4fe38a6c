"""What the linter remembers of one connection."""

from collections import deque
from collections.abc import Hashable
from itertools import chain
from typing import Any

from vudissect.lint.finding import Finding
from vudissect.protocol.model import Channel
from vudissect.session.event import Event, MessageEvent

# A hostile peer must not make the memory of a rule grow without bound.
_MOST_KEYS = 256
# A tuple of this many is as quick to search, and smaller.
_FEW_KEYS = 4

# How many of the last messages of a channel, and of the last findings of a connection, a rule can look at.
_RECENT = 4
_RECENT_FINDINGS = 16
# Per message: those on the GPU channel are pictures.
MOST_BYTES = 1024


class History:
    """What is remembered of one connection: by each rule, and the last events and findings.

    `memories` has what each rule remembers, `keys` the keys that it need not look at again, `counts` how often it has
    found something, and `kinds` the kinds of messages (as bits) about which some rules were asked, as they are only
    once. `fault` is the frame of the first fault that was injected, 0 for none. Little of it is made before it is
    needed: a capture may have any number of connections.
    """

    __slots__ = ("counts", "fault", "findings", "keys", "kinds", "lost_sync", "memories", "recent", "settled")

    def __init__(self) -> None:
        self.memories: dict[str, Any] = {}
        self.keys: dict[str, tuple[Hashable, ...] | set[Hashable]] = {}
        self.kinds = 0
        self.fault = 0
        self.recent: tuple[deque[Event] | list[Event], ...] = tuple([] for _ in Channel)
        self.findings: list[Finding] = []
        self.counts: dict[str, int] = {}
        self.lost_sync: dict[Channel, int] = {}
        self.settled = True

    def add(self, finding: Finding) -> int:
        """Add a finding; return how many its rule has had."""
        if len(self.findings) == _RECENT_FINDINGS:
            del self.findings[0]
        self.findings.append(finding)
        count = self.counts[finding.rule] = self.counts.get(finding.rule, 0) + 1
        return count

    def first(self, rule: str, key: Hashable) -> bool:
        """True the first time a rule sees a key."""
        known = self.keys.get(rule, ())
        if key in known or len(known) >= _MOST_KEYS:
            return False
        if isinstance(known, set):
            known.add(key)
        else:
            self.keys[rule] = (*known, key) if len(known) < _FEW_KEYS else {*known, key}
        return True

    @property
    def last(self) -> Event:
        """The last event on any channel."""
        return max(chain(*self.recent), key=lambda event: event.record.frame)

    def wake(self) -> None:
        """Prepare for the next event."""
        self.settled = False
        self.recent = tuple(deque(recent, _RECENT) for recent in self.recent)

    def settle(self) -> None:
        """Drop all recent events but the last, and all memories that are still unchanged."""
        self.settled = True
        self.memories = {rule: memory for rule, memory in self.memories.items() if memory != type(memory)()}
        last = self.last
        self.recent = tuple([last] if last.record.channel is channel else [] for channel in Channel)


def beginning(event: MessageEvent) -> MessageEvent:
    """The event; if its message is long, with only the beginning of it and without its values."""
    record, message = event.record, event.message
    data = record.data[:MOST_BYTES]
    return event._replace(record=record._replace(data=data), message=message._replace(data=data, values=()))
