"""A pump that asks, before it passes on a message that a fault may be about, what to do with it.

What has to be done is queued with the time at which it is due, and done in this order while the target accepts it. So
a message that is delayed also delays those after it, as in a stream. Messages that no fault can be about take the fast
path of any pump, unless something is queued.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import inf
from time import monotonic, monotonic_ns
from typing import NamedTuple

from vudissect.capture.record import RecordKind
from vudissect.host.descriptor import Descriptor
from vudissect.host.inspect import examine
from vudissect.host.make import make
from vudissect.protocol.marks import Mark
from vudissect.proxy.direction import Direction, all_rights
from vudissect.proxy.events import Event, Framed, Gone, Read, Refusal, Refused, Send, Sent
from vudissect.proxy.faulting import (
    Call,
    Control,
    Deliver,
    Faults,
    Fresh,
    HangUp,
    Inject,
    Offer,
    Passing,
    Report,
    Stall,
    Step,
    StopReading,
    Throttle,
    Withhold,
    WithNext,
)
from vudissect.proxy.passed import Passed
from vudissect.proxy.pump import Ends, Interposing, Notice, Pump
from vudissect.proxy.recorder import HEAVY, Recorder
from vudissect.proxy.rights import descriptors, rights_of
from vudissect.wire.framing import Carried, Piece
from vudissect.wire.header import HEADER_SIZE

_GLUED = int(Mark.GLUED)
_WITHHELD = int(Mark.NOT_FORWARDED | Mark.WITHHELD)
_INJECTED = int(Mark.INJECTED)
_UNUSUAL = ~_GLUED
_MOST_QUEUED = 256
_NANOSECONDS = 1e9


class _Due(NamedTuple):
    """Something to be done, not before a time (s, monotonic)."""

    at: float
    act: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Held:
    """A message that waits for the next one."""

    piece: Piece
    now: int
    offer: Offer
    step: WithNext


class FaultedPump(Pump):
    """Moves messages from the source to the target, with faults."""

    def __init__(
        self,
        direction: Direction,
        ends: Ends,
        recorder: Recorder,
        notify: Callable[[Notice], None],
        interposing: Interposing | None,
        faults: Faults,
        control: Control,
    ) -> None:
        super().__init__(direction, ends, recorder, notify, interposing)
        numbers = faults.numbers(direction.flow.channel)
        self._wants_all = numbers is None
        # In both byte orders.
        self._special = frozenset(number.to_bytes(4, order) for number in numbers or () for order in ("little", "big"))
        self._faults = faults
        self._control = control
        self._queue: deque[_Due] = deque()
        self._held: _Held | None = None
        self._is_over = False
        self._wakes_at = inf
        self._stalled_until = self._reads_at = self._next_at = self._resumes_at = 0.0
        self._spacing = self._pause = 0.0
        self._kept: list[int] = []  # the other ends of new sockets and pipes
        self.direction.hold(self._wants_all)

    @property
    def hungry(self) -> bool:
        """Whether the source should be read."""
        if self._queue or self._is_over or self._reads_at:
            return super().hungry and self._may_read
        # Asked twice for each message with descriptors.
        direction = self.direction
        return direction.hungry and not (direction.blocked and self._recorder.crowded)

    @property
    def _may_read(self) -> bool:
        """Whether no fault and no full queue keeps the source from being read."""
        has_room = not self._is_over and len(self._queue) < _MOST_QUEUED
        return has_room and (not self._reads_at or monotonic() >= self._reads_at)

    def flush(self) -> None:
        """Forward what is queued, as much as the target accepts."""
        super().flush()
        self._work()

    def end(self, how: str) -> None:
        """The source has ended, after everything that is queued."""
        if self._is_over:
            return
        self._is_over = True
        self._let_go()
        self._stalled_until = 0.0
        self._queue.append(_Due(0.0, partial(super().end, how)))
        self._work()
        self._notify(Notice.CHANGED)

    def abandon(self) -> None:
        """Give up on the target; what the source has sent so far is recorded as not forwarded."""
        self._handle(Gone("closed"))
        self._release()
        self.read_on()
        self._release()
        if not self.direction.ended:
            super().end("closed")
        for fd in self._kept:
            with suppress(OSError):
                os.close(fd)
        self._kept.clear()

    def inject(self, piece: Piece, delay: float = 0.0) -> None:
        """Queue a message that the source has not sent."""
        self._put(delay, partial(self._deliver, piece, monotonic_ns()))
        self._work()

    def stall(self, seconds: float) -> None:
        """Pass nothing on for so many seconds."""
        self._stalled_until = monotonic() + seconds
        self._work()

    def break_off(self, how: str) -> None:
        """The target gets nothing any more."""
        self._handle(Gone(how))

    @property
    def _is_waiting(self) -> bool:
        """Whether a message has to wait for others, or for its time."""
        return bool(self._queue or self._held or self._stalled_until or self._spacing)

    def _is_wanted(self, piece: Piece) -> bool:
        if not (piece.start and piece.end and len(piece.data) >= HEADER_SIZE) or piece.marks & Mark.CUT_SHORT:
            return False
        return self._wants_all or piece.data[:4] in self._special

    def _take(self, read: Read) -> None:
        self._recorder.weigh(len(read.data) // HEAVY)
        messages = self.direction.framer.feed(read.data, read.rights, read.lost, read.together)
        pieces = [
            message if isinstance(message, Piece) else Piece(message, (), _GLUED if index else 0)
            for index, message in enumerate(messages)
        ]
        if not (self._is_waiting or any(map(self._is_wanted, pieces))):
            self._handle(Framed(messages, read.now))
            return
        for piece in pieces:
            self._add(piece, read.now)
        self._work()
        if not self.hungry:
            self._notify(Notice.CHANGED)

    def _add(self, piece: Piece, now: int) -> None:
        """Queue what has to be done with a message."""
        if self._held is not None and self._joins(piece, now):
            return
        offer = self._offer(piece, now) if self._is_wanted(piece) else None
        steps: Sequence[Step] = ()
        if offer is not None:
            self._recorder.catch_up()
            steps = self._faults.decide(offer)
        if offer is None or not steps:
            self._put(0.0, partial(self._deliver, piece, now))
            return
        fds = descriptors(all_rights(piece))
        for step in steps:
            if isinstance(step, WithNext):
                self._hold(_Held(piece, now, offer, step))
            elif isinstance(step, Inject):
                self._put(step.delay, self._injection(step, fds))
            else:
                self._put(step.delay if isinstance(step, Deliver) else 0.0, partial(self._carry, step, piece, now))

    def _carry(self, step: Step, piece: Piece, now: int) -> None:
        """Carry out a step that is due."""
        match step:
            case Deliver():
                self._deliver(_cut(piece, step.cut), now, step.pause)
            case Withhold():
                self._withhold(piece, now)
            case Report():
                self._report(step, now)
            case HangUp():
                self._control.hang_up(step)
            case Stall():
                self._control.stall(step.seconds) if step.both else self.stall(step.seconds)
            case StopReading():
                self._reads_at = monotonic() + step.seconds
                self._after(step.seconds, partial(self._notify, Notice.CHANGED))
            case Throttle():
                self._spacing = 1 / step.rate
            case Call():
                step.act()

    def _injection(self, step: Inject, fds: list[int]) -> Callable[[], None]:
        """The injection of a message, with descriptors that exist from now on."""
        rights = rights_of([self._passed(each, fds) for each in step.passing]) if step.passing else []
        piece = _cut(Piece(step.data, (Carried(0, rights),) if rights else (), _INJECTED), step.cut)
        flow = self.direction.flow
        if (step.channel, step.sender) == (flow.channel, flow.sender):
            return lambda: self._deliver(piece, monotonic_ns(), step.pause)
        return lambda: self._inject_elsewhere(step, piece)

    def _inject_elsewhere(self, step: Inject, piece: Piece) -> None:
        if not self._control.inject(step, piece):
            for fd in descriptors(all_rights(piece)):
                os.close(fd)
            text = f"a message for the {step.channel.label} channel was not injected: the channel is not open"
            self._event(RecordKind.NOTE, {"text": text})

    def _passed(self, passing: Passing, fds: list[int]) -> int:
        """A descriptor of our own to pass."""
        if not isinstance(passing, Fresh):
            return os.dup(fds[passing])
        made = make(Descriptor(passing.kind, size=0 if passing.hung_up else passing.size, name="injected", seals=0))
        if made.other is not None:
            if passing.hung_up:
                os.close(made.other)
            else:
                self._kept.append(made.other)
        return made.fd

    def _hold(self, held: _Held) -> None:
        self._held = held
        self._after(held.step.patience, lambda: self._let_go() if self._held is held else None)

    def _joins(self, piece: Piece, now: int) -> bool:
        """Whether a message is passed on before or with the one that waits for it."""
        held = self._held
        assert held is not None
        why = self._faults.may_swap(held.offer, self._offer(piece, now)) if held.step.swapped else _apart(held, piece)
        if why:
            self._let_go(why)
            return False
        self._held = None
        self._put(0.0, partial(self._report, Report(held.step.done), held.now))
        if held.step.swapped:
            self._put(0.0, partial(self._deliver, piece, now))
            self._put(0.0, partial(self._deliver, held.piece, held.now))
        else:
            both: list[bytes | Piece] = [held.piece.data, piece.data]
            self._put(0.0, lambda: self._handle(Framed(both, held.now, at_once=True)))
        return True

    def _let_go(self, why: str = "no other message came in time") -> None:
        """Pass on the message that waits for the next one, as it is."""
        held, self._held = self._held, None
        if held is not None:
            self._put(0.0, partial(self._report, Report({**held.step.failed, "reason": why}), held.now))
            self._put(0.0, partial(self._deliver, held.piece, held.now))
            self._work()

    def _put(self, delay: float, act: Callable[[], None]) -> None:
        self._queue.append(_Due(monotonic() + delay if delay else 0.0, act))

    def _work(self) -> None:
        """Do what is due, as long as the target accepts it."""
        queue = self._queue
        was_full = len(queue) >= _MOST_QUEUED
        while queue and not self.direction.blocked:
            now, due = monotonic(), max(queue[0].at, self._stalled_until, self._next_at)
            if due > now:
                self._wake(due - now, due)
                break
            if self._spacing:
                self._next_at = now + self._spacing
            queue.popleft().act()
        if not queue and self._stalled_until <= monotonic():
            self._stalled_until = 0.0
        self.direction.hold(self._wants_all or self._is_waiting)
        if was_full:
            self._notify(Notice.CHANGED)

    def _wake(self, seconds: float, due: float) -> None:
        if due < self._wakes_at:
            self._wakes_at = due
            self._after(seconds, self._woken)

    def _woken(self) -> None:
        self._wakes_at = inf
        self._work()

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        if seconds < inf:
            self._control.later(seconds, action)

    def _release(self) -> None:
        """Do everything that is queued, whether it is due or not: the target is gone."""
        self._let_go()
        while self._queue:
            self._queue.popleft().act()

    def _deliver(self, piece: Piece, now: int, pause: float = 0.0) -> None:
        self._pause = pause
        self._handle(Framed([piece], now))

    def _sent(self, send: Send) -> Event:
        if self._resumes_at and monotonic() < self._resumes_at:
            return Refused(Refusal.LATER)
        self._resumes_at = 0.0
        event = super()._sent(send)
        if self._pause and isinstance(event, Sent):
            self._resumes_at, pause, self._pause = monotonic() + self._pause, self._pause, 0.0
            self._control.later(pause, self.flush)
        return event

    def _withhold(self, piece: Piece, now: int) -> None:
        """Record a message that is not passed on."""
        flow, snaplen = self._flow, self._recorder.snaplen
        marks = piece.marks | _WITHHELD
        entry = Passed(flow, now, flow.numbering.take(), 0, len(piece.data), marks, [piece.data[:snaplen]])
        entry.rights = all_rights(piece)
        self._record(entry)

    def _report(self, report: Report, time: int) -> None:
        self._event(RecordKind.FAULT, report.details, time)

    def _event(self, kind: RecordKind, details: Mapping[str, str | int], time: int = 0) -> None:
        flow = self._flow
        self._recorder.event(kind, flow.connection, flow.channel, flow.numbering.take(), details, time)

    def _offer(self, piece: Piece, now: int) -> Offer:
        flow = self._flow
        described = tuple(examine(fd)[0] for fd in descriptors(all_rights(piece)))
        order = self.direction.framer.byte_order or "little"
        return Offer(flow.connection, flow.channel, flow.sender, piece.data, piece.marks, now, order, described)


def _cut(piece: Piece, place: int) -> Piece:
    """The piece, to be sent in two parts."""
    return piece._replace(carried=(*piece.carried, Carried(place, []))) if place else piece


def _apart(held: _Held, piece: Piece) -> str:
    """Why two messages cannot be passed on in one write."""
    pieces: Iterable[Piece] = (held.piece, piece)
    if any(each.carried for each in pieces):
        return "one of the two messages carries descriptors"
    if any(not (each.start and each.end) or each.marks & _UNUSUAL for each in pieces):
        return "one of the two messages is long, or did not come at once"
    return ""
