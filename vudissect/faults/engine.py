"""Decides what happens to each message, by the faults of a scenario. One session reads what was recorded.

A message is looked at before it takes effect, and has its effect when it is recorded: as it was delivered.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.faults.errors import ImpossibleError
from vudissect.faults.language import Fault
from vudissect.faults.plan import Joining, Plan, Target, beginning, closes, steps_of
from vudissect.faults.script import Script
from vudissect.filter.fields import rings
from vudissect.protocol.model import Channel
from vudissect.proxy.faulting import Deliver, Offer, Report, Step, WithNext
from vudissect.session.event import MessageEvent
from vudissect.session.session import Session
from vudissect.summary.faults import INJECTED, Injected

Details = dict[str, str | int]

NOT_INJECTED = "not injected"


@dataclass(slots=True)
class _Progress:
    """How many messages a fault was about, how often it was injected, and what decides at random."""

    random: Random
    matched: int = 0
    injected: int = 0


class Engine:
    """The faults of a running relay."""

    def __init__(
        self, faults: Sequence[Fault], script: Script | None = None, warn: Callable[[str], object] = lambda _: None
    ) -> None:
        """`warn` is called the first time that the script fails."""
        self._script = script
        self._script_random = Random(0)
        self._warn = warn
        self._has_warned = False
        self._injected = Injected()
        self._open: set[tuple[int, Channel]] = set()
        self._faults = [(fault, _Progress(fault.random())) for fault in faults]
        self._session = Session(detect=True)
        self._frame = 0
        self._refusals: list[Fault] = []

    def numbers(self, channel: Channel) -> frozenset[int] | None:
        """The numbers of the messages that a fault may be about; None for all."""
        wanted: set[int] = set()
        filters = [fault.wanted for fault, _ in self._faults]
        filters += [self._script.wanted] if self._script is not None else []
        for each in filters:
            if each.numbers is None:
                return None
            wanted |= {number for of, number in each.numbers if of is channel}
        return frozenset(wanted)

    @property
    def summary(self) -> str:
        """How many were injected, and how many could not be."""
        return self._injected.text or "no fault was injected"

    def see(self, record: Record) -> None:
        """Note what was recorded."""
        self._frame += 1
        self._session.feed(record._replace(frame=self._frame))
        kind = record.kind
        if kind is RecordKind.FAULT:
            self._injected.see(record)
        elif kind is RecordKind.CHANNEL_OPENED:
            self._open.add((record.connection, record.channel))
        elif kind is RecordKind.CHANNEL_CLOSED:
            self._open.discard((record.connection, record.channel))
        elif kind is RecordKind.CONNECTION_CLOSED:
            self._open -= {(record.connection, channel) for channel in Channel}

    def decide(self, offer: Offer) -> Sequence[Step]:
        """What to do with a message; nothing if it is passed on as it is."""
        event = self._event(offer)
        channels = frozenset(channel for connection, channel in self._open if connection == offer.connection)
        plan = start = beginning(offer)
        reports: list[Step] = []
        failed: list[Step] = []
        due = [
            (fault, progress) for fault, progress in self._faults if fault.wanted(event) and _is_due(fault, progress)
        ]
        for fault, progress in (*due, *self._of_script(event, failed)):
            target = Target(offer, event, progress.random, fault.number, channels)
            try:
                plan = fault.apply(replace(plan, refused=0), target)
            except ImpossibleError as error:
                failed.append(Report(_details(fault, event, NOT_INJECTED) | {"reason": str(error)}))
                continue
            progress.injected += 1
            self._refusals += [fault] * plan.refused
            reports.append(Report(_details(fault, event, INJECTED)))
            if plan.joining is not None:
                return [*failed, *self._joining(plan, start, fault, event)]
            if closes(plan):
                break
        if not reports:
            return [*failed, Deliver()] if failed else []
        return [*failed, *reports, *steps_of(plan, offer)]

    def _of_script(self, event: MessageEvent, failed: list[Step]) -> Iterator[tuple[Fault, _Progress]]:
        """The fault that the script wants; its failure is reported."""
        if self._script is None:
            return
        try:
            fault = self._script.fault(event)
        except ImpossibleError as error:
            if not self._has_warned:
                self._has_warned = True
                self._warn(f"{error}: the traffic continues")
            asked = Fault(self._script.number, self._script.name, self._script.wanted, (), ())
            failed.append(Report(_details(asked, event, NOT_INJECTED) | {"reason": str(error)}))
            return
        if fault is not None:
            yield fault, _Progress(self._script_random)

    def may_swap(self, first: Offer, second: Offer) -> str:
        """Why the second of two messages must not overtake the first; "" if it may."""
        events = self._event(first), self._event(second)
        for event in events:
            if event.message.reply or event.awaits:
                return f"{event.name} is an answer or waits for one, and these have an order"
        places = [set(rings(event)) for event in events]
        if not all(places) or places[0] & places[1]:
            return f"{events[0].name} and {events[1].name} are not about different rings: their order matters"
        return ""

    def refuse(self) -> Mapping[str, str | int] | None:
        """The report on a new connection that is refused; None if it is accepted."""
        if not self._refusals:
            return None
        fault = self._refusals.pop(0)
        return {"fault": fault.number, "text": fault.text, "outcome": INJECTED, "action": "refuse", "alters": 1}

    def _joining(self, plan: Plan, start: Plan, fault: Fault, event: MessageEvent) -> list[Step]:
        """The steps for a message that waits for the next one."""
        if plan.main != start.main or plan.earlier or plan.later or plan.before or plan.after:
            reason = "a message that waits for the next one cannot be changed as well"
            return [Report(_details(fault, event, NOT_INJECTED) | {"reason": reason}), Deliver()]
        done, missed = _details(fault, event, INJECTED), _details(fault, event, NOT_INJECTED)
        return [WithNext(plan.joining is Joining.SWAP, done, missed)]

    def _event(self, offer: Offer) -> MessageEvent:
        record = Record(
            RecordKind.MESSAGE,
            offer.connection,
            offer.channel,
            offer.sender,
            0,
            offer.received,
            offer.received,
            offer.received,
            len(offer.data),
            offer.data,
            Mark(offer.marks),
            offer.descriptors,
            frame=self._frame + 1,
        )
        return self._session.look(record)


def _is_due(fault: Fault, progress: _Progress) -> bool:
    progress.matched += 1
    if progress.matched <= fault.after or progress.injected == fault.count:
        return False
    return fault.probability >= 1 or progress.random.random() < fault.probability


def _details(fault: Fault, event: MessageEvent, outcome: str) -> Details:
    details: Details = {
        "fault": fault.number,
        "text": fault.text,
        "outcome": outcome,
        "action": ", ".join(kind.name for kind in fault.kinds),
        "message": event.name,
        "from": event.record.sender.label,
    }
    return details | ({"alters": 1} if fault.alters and outcome is INJECTED else {})
