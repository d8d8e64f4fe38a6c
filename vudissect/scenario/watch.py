"""Follows the sessions of a relay with faults: which messages set them up, when rings run, what was injected."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from vudissect.capture.record import Record, RecordKind
from vudissect.faults.engine import Engine
from vudissect.filter.fields import rings
from vudissect.protocol.model import Channel, Side
from vudissect.proxy.faulting import Call, HangUp, Offer
from vudissect.proxy.faulting import Step as Doing
from vudissect.scenario.model import Step
from vudissect.session.event import Event
from vudissect.session.pairing import Request
from vudissect.session.session import Session
from vudissect.summary.faults import INJECTED


@dataclass(slots=True)
class Seen:
    """What was seen so far. Times are monotonic, in ns; 0 for never.

    `steps` are the messages of the first session; those up to `complete` were needed for the `running` rings, which
    is the most that ran at once. `again` is when as many as `wanted` ran after the last fault. `sessions` counts those
    that began after it, `open` those that are open; `closed` is how the last one ended, and `gave_up` which
    answer the side that closed it had waited for, if any.
    """

    wanted: frozenset[int] = frozenset()
    steps: list[Step] = field(default_factory=list)
    complete: int = 0
    running: frozenset[int] = frozenset()
    last: int = 0
    first_fault: int = 0
    fault: int = 0
    again: int = 0
    sessions: int = 0
    open: int = 0
    closed: str = ""
    gave_up: str = ""

    def see(self, event: Event) -> None:
        """Take note of an event."""
        record = event.record
        if record.kind is RecordKind.FAULT and record.details.get("outcome") == INJECTED:
            self.fault = record.received
            self.first_fault = self.first_fault or record.received
            self.again = self.sessions = 0
        elif record.kind is RecordKind.CONNECTION_OPENED:
            self.open += 1
            self.sessions += 1
        elif record.kind is RecordKind.CONNECTION_CLOSED:
            self.open -= 1
            how = str(record.details.get("how"))
            by = record.details.get("by")
            self.closed = f"the {by} closed it ({how})"
            self.gave_up = next(
                (_wait(each) for each in event.unanswered if each.channel.initiator.label == by and not each.unsent), ""
            )
            if how.startswith("fault "):
                # They ran before the connection was closed.
                self.again = 0
        if event.message is None:
            return
        self.last = record.received
        is_step = record.sender is Side.FRONT_END and record.channel is Channel.MAIN and not event.message.reply
        if is_step and record.connection == 1:
            self.steps.append(Step(event.name, tuple(rings(event))))
        now = frozenset(number for number, ring in event.after.rings.items() if ring.running)
        if now > self.running:
            self.running, self.complete = now, len(self.steps)
        if self.fault and not self.again and now and now >= self.wanted:
            self.again = record.received


class Watch:
    """The faults of a relay, watched. `kill`, if any, is called with the side whose connection is closed by one."""

    def __init__(self, engine: Engine, wanted: frozenset[int], kill: Callable[[Side], object] | None = None) -> None:
        self.seen = Seen(wanted)
        self._engine = engine
        self._session = Session(detect=True)
        self._frame = 0
        self._kill = kill

    def numbers(self, channel: Channel) -> frozenset[int] | None:
        """See `Faults`."""
        return self._engine.numbers(channel)

    def see(self, record: Record) -> None:
        """See `Faults`."""
        self._engine.see(record)
        self._frame += 1
        self.seen.see(self._session.feed(record._replace(frame=self._frame)))

    def decide(self, offer: Offer) -> Sequence[Doing]:
        """See `Faults`."""
        steps: list[Doing] = []
        for step in self._engine.decide(offer):
            if isinstance(step, HangUp) and self._kill is not None:
                # Not yet: what comes before it has to arrive.
                steps.append(Call(partial(self._kill, step.side)))
            steps.append(step)
        return steps

    def may_swap(self, first: Offer, second: Offer) -> str:
        """See `Faults`."""
        return self._engine.may_swap(first, second)

    def refuse(self) -> Mapping[str, str | int] | None:
        """See `Faults`."""
        return self._engine.refuse()

    @property
    def summary(self) -> str:
        """See `Faults`."""
        return self._engine.summary

    @property
    def waits(self) -> str:
        """Who waits for the answer to what, "" for nobody."""
        return next((_wait(each) for each in self._session.unanswered() if not each.unsent), "")


def _wait(request: Request) -> str:
    return f"the {request.channel.initiator.label} waits for the answer to {request.name}"
