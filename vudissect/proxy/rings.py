"""Looks into the rings of a running session, with the descriptors that the peers have passed.

Nothing is mapped and nothing is written. Memory is read where the front-end has put a ring, and the descriptor of a
region is closed as soon as the region is removed or replaced: an open one would keep its memory from being freed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic_ns
from typing import NamedTuple, Protocol

from vudissect.capture.observation import Observation
from vudissect.capture.record import Record, RecordKind
from vudissect.host.closing import close
from vudissect.host.descriptor import Descriptor
from vudissect.host.process_state import is_stopped
from vudissect.host.shared_memory import event_counter
from vudissect.protocol.devices import is_polled_by_driver
from vudissect.protocol.features import F_EVENT_IDX, F_IN_ORDER, F_RING_PACKED
from vudissect.protocol.payloads import IOTLB_INVALIDATE, IOTLB_UPDATE
from vudissect.protocol.purpose import Purpose
from vudissect.proxy.ring_history import History, advance, count, is_news
from vudissect.proxy.ring_memory import MemoryFile, RingMemory, Translations, UnreadableError
from vudissect.rings import inflight, packed_inflight
from vudissect.rings.inflight import InflightRegion
from vudissect.rings.look import Look, Parts, has_moved, look, oldest
from vudissect.rings.memory import RingError
from vudissect.rings.packed_inflight import PackedInflightRegion
from vudissect.rings.requests import request_text
from vudissect.session.event import Event
from vudissect.session.rings import Ring, Started
from vudissect.session.stalls import waits_for_device
from vudissect.session.state import State

# No virtio ring is larger.
_MOST_ENTRIES = 32768
_WRAP = 0x10000
# How much may be read in one look at all rings, in descriptors: a look at the indices costs as much as `_INDICES`. The
# rings that are left come first in the next look.
_MOST_AT_ONCE = 1 << 16
_INDICES = 64


class Source(Protocol):
    """Where descriptors of memory and events come from."""

    def take(self, wanted: Descriptor) -> int | None:
        """A descriptor of the same open object, which the caller closes; None if there is none."""

    def empty(self) -> None:
        """Close all that were not taken."""


class Seen(NamedTuple):
    """An observation of a connection."""

    connection: int
    observation: Observation


class _InFlight(NamedTuple):
    """Where the in-flight memory is, by the name of its descriptor, and for how many rings with how many entries."""

    descriptor: str
    offset: int
    queues: int
    entries: int


@dataclass(slots=True)
class _Watched:
    """A connection, with the descriptors of its memory and of its rings by their names."""

    state: State
    memory: dict[str, MemoryFile] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    translations: Translations = field(default_factory=Translations)
    big_endian: set[int] = field(default_factory=set)
    histories: dict[int, History] = field(default_factory=dict)
    pids: tuple[int, int] = (0, 0)
    """The processes of front-end and back-end, 0 if unknown."""
    in_flight: "_InFlight | None" = None
    changed: set[int] = field(default_factory=set)
    """The rings that messages were about since the last look."""

    def keep(self, event: Event, source: Source) -> None:
        """Take the descriptors of a message that are needed from now on, and close those that are not any more."""
        regions = {region.descriptor for region in self.state.memory.regions}
        if self.in_flight is not None:
            regions.add(self.in_flight.descriptor)
        slots = {
            ring.slots[purpose].name
            for ring in self.state.rings.values()
            for purpose in (Purpose.SET_KICK, Purpose.SET_CALL)
        }
        for name in self.memory.keys() - regions:
            self.memory.pop(name).close()
        for name in self.events.keys() - slots:
            close(self.events.pop(name))
        for name, _, descriptor in event.descriptors:
            wanted_memory = name in regions and name not in self.memory
            if wanted_memory or (name in slots and name not in self.events):
                fd = source.take(descriptor)
                if fd is None:
                    continue
                if wanted_memory:
                    self.memory[name] = MemoryFile(fd)
                else:
                    self.events[name] = fd

    def is_stopped_by(self, event: Event) -> bool:
        """Whether a message stops a ring, or is the answer that reports where it has stopped.

        After the answer the ring is recorded even if it is as it was before: the position is compared with it.
        """
        message = event.message
        if message is not None and message.reply and message.row.purpose is Purpose.STOP_RING:
            history = self.histories.get(event.fields.get("index", -1))
            if history is not None:
                history.recorded = None
            return True
        return event.after.rings.started < event.before.rings.started

    def let_go(self) -> None:
        """Close all descriptors."""
        for file in self.memory.values():
            file.close()
        for fd in self.events.values():
            close(fd)


class RingWatch:
    """Observes the rings of all connections. Feed it every event of the session; `look` at all of them now and then.

    Call `look_at_changed` when there is no event at the moment: what a burst of messages changes is looked at once.

    With `requests` the oldest pending request is read too: its descriptors and its header, never its data.
    """

    def __init__(self, source: Source, *, requests: bool) -> None:
        self._source = source
        self._requests = requests
        self._connections: dict[int, _Watched] = {}
        # Where the next look begins, if the last one did not see all.
        self._left = 0

    def see(self, event: Event) -> Iterator[Seen]:
        """What is to be recorded at once: about rings that were stopped."""
        state, record = event.after, event.record
        watched = self._connections.get(state.number)
        if watched is None:
            watched = self._connections[state.number] = _Watched(state)
        watched.state = state
        if record.kind is RecordKind.CONNECTION_OPENED:
            watched.pids = _pid(record, "front_end_pid"), _pid(record, "back_end_pid")
        self._note_settings(watched, event)
        if state.memory is not event.before.memory or event.descriptors:
            watched.keep(event, self._source)
        if record.kind is RecordKind.CONNECTION_CLOSED:
            watched.let_go()
            del self._connections[state.number]
        elif state.rings is not event.before.rings and record.kind is RecordKind.MESSAGE:
            touched = state.rings.touched
            watched.changed |= state.rings.keys() if touched is None else {touched}
            if watched.is_stopped_by(event):
                # Now: its memory may be gone after the next message.
                yield from self._changed(watched, monotonic_ns())

    def look_at_changed(self, now: int) -> Iterator[Seen]:
        """What is to be recorded at `now` (ns) about the rings that events were about since the last call."""
        for watched in self._connections.values():
            yield from self._changed(watched, now)

    def look(self, now: int) -> Iterator[Seen]:
        """What is to be recorded about all rings at `now` (ns), or about some if there are very many large ones."""
        started = [
            (watched, ring)
            for watched in self._connections.values()
            for ring in watched.state.rings.values()
            if ring.started is Started.STARTED
        ]
        first = self._left % len(started) if started else 0
        room = _MOST_AT_ONCE
        self._left = 0
        for position, (watched, ring) in enumerate(started[first:] + started[:first]):
            room -= self._effort(watched.state, ring)
            if room < 0 and position:
                self._left = first + position
                return
            yield from self._one(watched, ring.index, now)

    def look_before_closing(self, number: int, now: int) -> Iterator[Seen]:
        """What is to be recorded at `now` (ns) about a connection whose memory is about to be let go of.

        A ring in which the device has something to do is recorded again: it is the last that will be known of it.
        """
        watched = self._connections.get(number)
        if watched is None:
            return
        watched.changed |= {ring.index for ring in watched.state.rings.values() if ring.started is Started.STARTED}
        for history in watched.histories.values():
            if history.recorded is not None and waits_for_device(watched.state, history.recorded):
                history.recorded = None
        yield from self._changed(watched, now)

    def close(self) -> None:
        """Let go of everything."""
        for watched in self._connections.values():
            watched.let_go()
        self._connections.clear()
        self._source.empty()

    def _note_settings(self, watched: _Watched, event: Event) -> None:
        message = event.message
        if message is None or message.reply:
            return
        purpose, fields = message.row.purpose, event.fields
        if purpose is Purpose.SET_BYTE_ORDER and fields:
            (watched.big_endian.add if fields["num"] else watched.big_endian.discard)(fields["index"])
        elif purpose is Purpose.SET_INFLIGHT and fields and event.descriptors:
            name = event.descriptors[0].name
            watched.in_flight = _InFlight(name, fields["mmap_offset"], fields["num_queues"], fields["queue_size"])
        elif purpose is Purpose.UPDATE_IOTLB and fields:
            if fields["type"] == IOTLB_UPDATE:
                watched.translations.update(fields["iova"], fields["size"], fields["user_addr"])
            elif fields["type"] == IOTLB_INVALIDATE:
                watched.translations.invalidate(fields["iova"], fields["size"])

    def _changed(self, watched: _Watched, now: int) -> Iterator[Seen]:
        changed, watched.changed = sorted(watched.changed), set()
        room = _MOST_AT_ONCE
        for index in changed:
            room -= self._effort(watched.state, watched.state.rings[index])
            if room >= 0:
                yield from self._one(watched, index, now)

    def _effort(self, state: State, ring: Ring) -> int:
        """How much there is to read in a ring, in descriptors."""
        reads_all = self._requests or state.features.has(F_RING_PACKED)
        return _INDICES + (ring.size or 0 if reads_all or state.inflight is not None else 0)

    def _one(self, watched: _Watched, index: int, now: int) -> Iterator[Seen]:
        ring = watched.state.rings[index]
        if not ring.size or ring.size > _MOST_ENTRIES or ring.addresses is None or not watched.state.memory.regions:
            return
        history = watched.histories.get(index)
        if history is None or history.begins != ring.addresses.frame:
            base = ring.base % _WRAP if ring.base is not None else None
            history = watched.histories[index] = History(ring.addresses.frame, base)
        observation = self._observe(watched, ring, history, now)
        if is_news(history.recorded, observation):
            history.recorded = observation
            yield Seen(watched.state.number, observation)

    def _observe(self, watched: _Watched, ring: Ring, history: History, now: int) -> Observation:
        kick, call = (_counter(watched, ring, purpose) for purpose in (Purpose.SET_KICK, Purpose.SET_CALL))
        parts = _parts(watched, ring)
        seen, request, in_flight, fault, unreadable = None, "", None, "", ""
        try:
            seen, request = self._read(watched, ring, parts)
            in_flight = _in_flight(watched, ring)
        except UnreadableError as error:
            unreadable = str(error)
        except RingError as error:
            fault = str(error)
        count(history, kick, call, now, seen)
        observation = Observation(
            ring.index,
            now,
            kick=kick,
            kick_unread=now - history.kick.since if history.kick is not None else 0,
            call=call,
            call_unread=now - history.call.since if history.call is not None else 0,
        )
        if seen is None:
            return observation._replace(fault=fault, unreadable=unreadable)
        descriptor = ring.slots[Purpose.SET_CALL].name
        at_0 = _wants_call_at_0(watched.state, ring)
        advance(history, seen, descriptor, call, in_flight, now, calls_at_0=at_0)
        waits = bool(seen.pending or history.passed)
        front_end, back_end = (bool(pid) and waits and is_stopped(pid) for pid in watched.pids)
        if seen.pending > parts.size:
            fault = f"{seen.pending} requests are pending in a ring of {parts.size}"
        return observation._replace(
            avail=seen.avail,
            used=seen.used,
            pending=seen.pending,
            waited=now - history.pending_since if history.pending_since is not None else 0,
            unnoticed=now - history.passed.since if history.passed is not None else 0,
            in_flight=in_flight,
            left_over=now - history.left_over_since if history.left_over_since is not None else 0,
            no_kicks=seen.no_kicks,
            no_calls=seen.no_calls,
            back_end_stopped=back_end,
            front_end_stopped=front_end,
            request=request,
            fault=fault,
        )

    def _read(self, watched: _Watched, ring: Ring, parts: Parts) -> tuple[Look, str]:
        """The ring now, and its oldest pending request in words if it is wanted and there is one."""
        memory = RingMemory(watched.state, watched.memory, watched.translations)
        seen = look(parts, memory.read)
        return seen, self._oldest(watched.state, ring, parts, seen, memory) if self._requests else ""

    def _oldest(self, state: State, ring: Ring, parts: Parts, seen: Look, memory: RingMemory) -> str:
        try:
            request = oldest(parts, seen, memory.read, memory.read_guest)
            if request is None:
                return ""
            text = request_text(
                *(state.guess.device, ring.index, len(state.rings), request.buffers, memory.read_guest),
                big_endian=parts.big_endian,
            )
        except RingError:
            if has_moved(parts, seen, memory.read):
                return ""
            raise
        name = f"request at descriptor {request.number}" if parts.packed else f"request {request.number}"
        return f"{name}: {text}"


def _in_flight(watched: _Watched, ring: Ring) -> int | None:
    """How many requests, or descriptors in a packed ring, are marked in the in-flight memory; None if unknown."""
    where = watched.in_flight
    file = watched.memory.get(where.descriptor) if where is not None else None
    if where is None or file is None:
        return None
    packed = watched.state.features.has(F_RING_PACKED)
    size_of = packed_inflight.region_size if packed else inflight.region_size
    entries = ring.size or 0
    if ring.index >= where.queues or not 0 < entries <= where.entries:
        return None
    size = size_of(entries)
    try:
        contents = file.read(where.offset + ring.index * size_of(where.entries), size)
    except UnreadableError:
        return None
    if len(contents) < size:
        return None
    if packed:
        tracking = PackedInflightRegion(memoryview(contents), entries)
        return tracking.descriptors if tracking.in_use else None
    region = InflightRegion(memoryview(contents), entries)
    return len(region.tracked) if region.in_use else None


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
        features.has(F_IN_ORDER),
    )


def _pid(record: Record, key: str) -> int:
    """A process id in the details of a record, 0 if there is none."""
    pid = record.details.get(key)
    return pid if isinstance(pid, int) else 0


def _counter(watched: _Watched, ring: Ring, purpose: Purpose) -> int | None:
    fd = watched.events.get(ring.slots[purpose].name)
    return event_counter(fd) if fd is not None else None


def _wants_call_at_0(state: State, ring: Ring) -> bool:
    """Whether a driver that wants to be called from position 0 on means it. Linux also writes 0 to want no calls."""
    device = state.guess.device
    return device is not None and not is_polled_by_driver(device, ring.index, len(state.rings))
