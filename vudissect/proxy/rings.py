"""Looks into the rings of a running session, with the descriptors that the peers have passed.

Nothing is mapped and nothing is written. Memory is read where the front-end has put a ring, and the descriptor of a
region is closed as soon as the region is removed or replaced: an open one would keep its memory from being freed.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic_ns
from typing import NamedTuple, Protocol

from vudissect.capture.observation import Observation
from vudissect.capture.record import RecordKind
from vudissect.host.shared_memory import event_counter
from vudissect.protocol.devices import is_polled_by_driver
from vudissect.protocol.features import F_EVENT_IDX, F_RING_PACKED
from vudissect.protocol.payloads import IOTLB_INVALIDATE, IOTLB_UPDATE
from vudissect.protocol.purpose import Purpose
from vudissect.proxy.ring_memory import MemoryFile, RingMemory, Translations, UnreadableError
from vudissect.rings.look import Look, Parts, look, oldest
from vudissect.rings.memory import RingError
from vudissect.rings.requests import HEADER_BYTES, request_text
from vudissect.session.event import Event
from vudissect.session.rings import Ring, Started
from vudissect.session.state import State

# No virtio ring is larger.
_MOST_ENTRIES = 32768
_WRAP = 0x10000
_SECOND = 1_000_000_000
# A duration that grows is worth another record at these points (s), and at every multiple of the last.
_STEPS = (1, 2, 5, 10, 30, 60)


class Source(Protocol):
    """Where descriptors of memory and events come from."""

    def take(self, identity: str) -> int | None:
        """A descriptor of the open object with this identity, which the caller closes; None if there is none."""

    def empty(self) -> None:
        """Close all that were not taken."""


class Seen(NamedTuple):
    """An observation of a connection."""

    connection: int
    observation: Observation


class _Passed(NamedTuple):
    """The driver wants to be called from position `call_at` on, and the device has passed it.

    `since` then (ns) the driver has neither moved that position nor made a request available.
    """

    call_at: int
    avail: int
    since: int


@dataclass(slots=True)
class _History:
    """What is remembered of a ring: since when (ns) things are as they are, and what was last recorded of it.

    It begins when the addresses are set (in a frame), with the position from which the device goes on.
    """

    begins: int
    used: int | None
    pending_since: int | None = None
    kick_since: int | None = None
    call_since: int | None = None
    passed: _Passed | None = None
    recorded: Observation | None = None


@dataclass(slots=True)
class _Watched:
    """A connection, with the descriptors of its memory and of its rings by their names."""

    state: State
    memory: dict[str, MemoryFile] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    translations: Translations = field(default_factory=Translations)
    big_endian: set[int] = field(default_factory=set)
    histories: dict[int, _History] = field(default_factory=dict)

    def keep(self, event: Event, source: Source) -> None:
        """Take the descriptors of a message that are needed from now on, and let go of what no longer is."""
        regions = {region.descriptor for region in self.state.memory.regions}
        slots = {
            ring.slots[purpose].name
            for ring in self.state.rings.values()
            for purpose in (Purpose.SET_KICK, Purpose.SET_CALL)
        }
        for name in self.memory.keys() - regions:
            self.memory.pop(name).close()
        for name in self.events.keys() - slots:
            os.close(self.events.pop(name))
        for name, _, descriptor in event.descriptors:
            wanted_memory = name in regions and name not in self.memory
            if wanted_memory or (name in slots and name not in self.events):
                fd = source.take(descriptor.identity)
                if fd is None:
                    continue
                if wanted_memory:
                    self.memory[name] = MemoryFile(fd)
                else:
                    self.events[name] = fd

    def let_go(self) -> None:
        """Close all descriptors."""
        for file in self.memory.values():
            file.close()
        for fd in self.events.values():
            os.close(fd)


class RingWatch:
    """Observes the rings of all connections. Feed it every event of the session; `look` at all of them now and then.

    With `requests` the oldest pending request is read too: its descriptors and its header, never its data.
    """

    def __init__(self, source: Source, *, requests: bool) -> None:
        self._source = source
        self._requests = requests
        self._connections: dict[int, _Watched] = {}

    def see(self, event: Event) -> Iterator[Seen]:
        """What is to be recorded about the rings that an event is about."""
        state, record = event.after, event.record
        watched = self._connections.get(state.number)
        if watched is None:
            watched = self._connections[state.number] = _Watched(state)
        watched.state = state
        if state.memory is not event.before.memory or event.descriptors:
            watched.keep(event, self._source)
        self._note_translation(watched, event)
        if record.kind is RecordKind.CONNECTION_CLOSED:
            watched.let_go()
            del self._connections[state.number]
        elif state.rings is not event.before.rings and record.kind is RecordKind.MESSAGE:
            touched = state.rings.touched
            if touched is None:
                yield from self._all(watched, monotonic_ns())
            else:
                yield from self._one(watched, touched, monotonic_ns())

    def look(self, now: int) -> Iterator[Seen]:
        """What is to be recorded about all rings at `now` (ns)."""
        for watched in self._connections.values():
            yield from self._all(watched, now)

    def close(self) -> None:
        """Let go of everything."""
        for watched in self._connections.values():
            watched.let_go()
        self._connections.clear()
        self._source.empty()

    def _note_translation(self, watched: _Watched, event: Event) -> None:
        message = event.message
        if message is None or message.reply:
            return
        purpose, fields = message.row.purpose, event.fields
        if purpose is Purpose.SET_BYTE_ORDER and fields:
            (watched.big_endian.add if fields["num"] else watched.big_endian.discard)(fields["index"])
        elif purpose is Purpose.UPDATE_IOTLB and fields:
            if fields["type"] == IOTLB_UPDATE:
                watched.translations.update(fields["iova"], fields["size"], fields["user_addr"])
            elif fields["type"] == IOTLB_INVALIDATE:
                watched.translations.invalidate(fields["iova"], fields["size"])

    def _all(self, watched: _Watched, now: int) -> Iterator[Seen]:
        for index, ring in watched.state.rings.items():
            if ring.started is Started.STARTED:
                yield from self._one(watched, index, now)

    def _one(self, watched: _Watched, index: int, now: int) -> Iterator[Seen]:
        ring = watched.state.rings[index]
        if not ring.size or ring.size > _MOST_ENTRIES or ring.addresses is None or not watched.state.memory.regions:
            return
        history = watched.histories.get(index)
        if history is None or history.begins != ring.addresses.frame:
            base = ring.base % _WRAP if ring.base is not None else None
            history = watched.histories[index] = _History(ring.addresses.frame, base)
        observation = self._observe(watched, ring, history, now)
        if _is_news(history.recorded, observation):
            history.recorded = observation
            yield Seen(watched.state.number, observation)

    def _observe(self, watched: _Watched, ring: Ring, history: _History, now: int) -> Observation:
        kick, call = (_counter(watched, ring, purpose) for purpose in (Purpose.SET_KICK, Purpose.SET_CALL))
        history.kick_since = _since(history.kick_since, now) if kick else None
        history.call_since = _since(history.call_since, now) if call else None
        observation = Observation(
            ring.index,
            now,
            kick=kick,
            kick_unread=now - history.kick_since if history.kick_since is not None else 0,
            call=call,
            call_unread=now - history.call_since if history.call_since is not None else 0,
        )
        memory = RingMemory(watched.state, watched.memory, watched.translations)
        parts = _parts(watched, ring)
        try:
            seen = look(parts, memory.read)
            request = self._oldest(watched.state, parts, seen, memory) if self._requests else ""
        except UnreadableError as error:
            return observation._replace(unreadable=str(error))
        except RingError as error:
            return observation._replace(fault=str(error))
        _advance(history, seen, now, calls_at_0=_wants_call_at_0(watched.state, ring))
        fault = "" if seen.pending <= parts.size else f"{seen.pending} requests are pending in a ring of {parts.size}"
        return observation._replace(
            avail=seen.avail,
            used=seen.used,
            pending=seen.pending,
            waited=now - history.pending_since if history.pending_since is not None else 0,
            unnoticed=now - history.passed.since if history.passed is not None else 0,
            no_kicks=seen.no_kicks,
            no_calls=seen.no_calls,
            request=request,
            fault=fault,
        )

    def _oldest(self, state: State, parts: Parts, seen: Look, memory: RingMemory) -> str:
        request = oldest(parts, seen, memory.read, memory.read_guest)
        if request is None:
            return ""
        first = request.buffers[0]
        start = b"" if first.writable else memory.read_guest(first.address, min(first.length, HEADER_BYTES))
        return f"request {request.number}: {request_text(state.guess.device, request.buffers, start)}"


def _parts(watched: _Watched, ring: Ring) -> Parts:
    features, addresses = watched.state.features, ring.addresses
    assert addresses is not None
    return Parts(
        ring.size or 0,
        addresses.desc,
        addresses.avail,
        addresses.used,
        features.has(F_RING_PACKED),
        features.has(F_EVENT_IDX),
        ring.index in watched.big_endian,
    )


def _counter(watched: _Watched, ring: Ring, purpose: Purpose) -> int | None:
    fd = watched.events.get(ring.slots[purpose].name)
    return event_counter(fd) if fd is not None else None


def _since(before: int | None, now: int) -> int:
    return now if before is None else before


def _wants_call_at_0(state: State, ring: Ring) -> bool:
    """Whether a driver that wants to be called from position 0 on means it. Linux also writes 0 to want no calls."""
    device = state.guess.device
    return device is not None and not is_polled_by_driver(device, ring.index, len(state.rings))


def _advance(history: _History, seen: Look, now: int, *, calls_at_0: bool) -> None:
    """Note what has changed in a ring, or since when it has not."""
    position = seen.used if seen.used is not None else seen.avail
    moved = position != history.used
    if not seen.pending:
        history.pending_since = None
    elif moved or history.pending_since is None:
        history.pending_since = now
    history.passed = _passed(history, seen, now) if seen.call_at or calls_at_0 else None
    history.used = position


def _passed(history: _History, seen: Look, now: int) -> _Passed | None:
    """Whether the device has passed the position from which the driver wants a call, and that position has not moved.

    A driver that was called looks at the ring and then moves it, or polls and goes on making requests available.
    """
    call_at, used, before = seen.call_at, seen.used, history.used
    if call_at is None or used is None or before is None:
        return None
    passed = history.passed
    if passed is not None and passed.call_at == call_at:
        return passed if passed.avail == seen.avail else _Passed(call_at, seen.avail, now)
    crossed = (used - call_at - 1) % _WRAP < (used - before) % _WRAP
    return _Passed(call_at, seen.avail, now) if crossed else None


def _is_news(before: Observation | None, after: Observation) -> bool:
    """Whether an observation has to be recorded: something changed, or lasts much longer than at the last record."""
    if before is None:
        return True
    still = after._replace(**{name: getattr(before, name) for name in _TIMES})
    return still != before or any(_step(getattr(after, name)) != _step(getattr(before, name)) for name in _DURATIONS)


_DURATIONS = ("waited", "kick_unread", "call_unread", "unnoticed")
_TIMES = ("time", *_DURATIONS)


def _step(duration: int) -> int:
    seconds = duration // _SECOND
    if seconds >= _STEPS[-1]:
        return len(_STEPS) + seconds // _STEPS[-1]
    return sum(seconds >= step for step in _STEPS)
