"""VU-FLT: how the peers cope with faults that the recorder injected on purpose (`vuproxy --fault`)."""

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import NamedTuple

from vudissect.capture.observation import observation_of
from vudissect.capture.record import RecordKind
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.hang import ENDINGS, Closings, Hang, hang_of, left_by
from vudissect.lint.memory import memory
from vudissect.lint.rule import Findings, RuleBook, ending, events, requests
from vudissect.lint.words import SECOND, count_text, request_text, time_text
from vudissect.protocol.model import Side
from vudissect.protocol.purpose import Purpose
from vudissect.session.pairing import Request
from vudissect.session.rings import Started
from vudissect.session.stalls import waits_for_device
from vudissect.session.state import State

RULES = RuleBook()

_SOURCE = "docs/faults.md"
_INJECTED = events(RecordKind.FAULT)
_CLOSED = events(RecordKind.CONNECTION_CLOSED)
_OPENED = events(RecordKind.CONNECTION_OPENED)
_BLAMES = {Side.FRONT_END.label: Blame.FRONT_END, Side.BACK_END.label: Blame.BACK_END}
_PIDS = {Side.FRONT_END.label: "front_end_pid", Side.BACK_END.label: "back_end_pid"}
# What a receiver cannot find the end of, or what does not arrive.
_HIDING = ("stall", "stop-reading", "half-close", "throttle", "header.", "truncate", "flip")
_SOON = SECOND
_LONG = 5 * SECOND
_MOST_RINGS = 1024
_MOST_DEVICES = 1024


@memory
class _Fault(Closings):
    """The last fault that was injected on a connection and changed something: frame (0: none), time (ns), number.

    `first` is the frame of the first one. `hides_answers`: one of them keeps a side from seeing or sending messages.
    """

    frame: int = 0
    time: int = 0
    number: int = 0
    first: int = 0
    hides_answers: bool = False

    def see(self, at: At) -> bool:
        """Note a fault; whether the event is one."""
        record = at.event.record
        if record.kind is not RecordKind.FAULT:
            return False
        number = record.details.get("fault")
        if record.details.get("alters") and isinstance(number, int):
            self.frame, self.time, self.number = record.frame, record.received, number
            self.first = self.first or record.frame
            # After the filter, which may have the same words.
            actions = str(record.details.get("text", "")).rpartition(":")[2]
            self.hides_answers |= any(word in actions for word in _HIDING)
        return True


@RULES.rule(
    "VU-FLT-01",
    Severity.WARNING,
    "a side that waits for an answer that a fault withholds gives up",
    _SOURCE,
    ENDINGS | _INJECTED,
    remembers=_Fault,
)
def hung_after_fault(at: At[_Fault]) -> Findings:
    fault = at.memory
    if fault.see(at):
        return
    hang = hang_of(at)
    if hang is None or not fault.frame:
        return
    for channel, waits in hang.waits.items():
        # Of an answer that nobody withheld, its sender has to think: VU-FLT-07.
        request = next((each for each in waits if each.withheld and not each.unsent), None)
        side = channel.initiator
        if request is not None and hang.by != side.label and _is_long(hang, request):
            yield at.finding(
                f"after fault {fault.number} the {side.label} hangs: it waits for the answer to "
                f"{request_text(request)} for {_waited(hang, request)}, and does not give up",
                _BLAMES[side.label],
                frame=request.frame,
                frames=(fault.frame,),
            )


def _receiver(request: Request) -> Side:
    return Side(1 - request.channel.initiator)


def _is_long(hang: Hang, request: Request) -> bool:
    return hang.waited(request) >= (_LONG if hang.by else _SOON)


def _waited(hang: Hang, request: Request) -> str:
    until = f"the {hang.by} closed the connection" if hang.by else "the capture ends"
    return f"{time_text(hang.waited(request))}, until {until}"


@RULES.rule(
    "VU-FLT-02",
    Severity.INFO,
    "a side continues after a fault",
    _SOURCE,
    _CLOSED | _INJECTED,
    remembers=_Fault,
)
def closed_after_fault(at: At[_Fault]) -> Findings:
    fault, by = at.memory, left_by(at)
    if fault.see(at) or not fault.frame or by not in _BLAMES or _is_injected(at):
        return
    waited = at.time - fault.time
    if waited < _SOON and not _is_orderly(at, by):
        how = at.event.record.details.get("how", "")
        yield at.finding(
            f"the {by} closed the connection ({how}) {time_text(waited)} after fault {fault.number}: it crashed, or "
            "refuses what it got",
            _BLAMES[by],
            frames=(fault.frame,),
        )


def _is_orderly(at: At, by: str) -> bool:
    """Whether a front-end has stopped its rings before it closed the connection, as it does to end a session."""
    rings = at.before.rings
    return by == Side.FRONT_END.label and rings.were_started and not any(ring.running for ring in rings.values())


def _is_injected(at: At) -> bool:
    """Whether a fault itself has closed the connection."""
    return str(at.event.record.details.get("how", "")).startswith("fault ")


class _Ended(NamedTuple):
    """A connection that has ended: the last fault on it (0: none) and its number, who closed it, where and when.

    `by` is empty if the fault itself has closed it, or if that was reported. `pids` are those of its processes by side.
    """

    fault: int = 0
    number: int = 0
    by: str = ""
    frame: int = 0
    time: int = 0
    pids: Mapping[str, str] = MappingProxyType({})


@memory
class _Sessions:
    """The last connection of a device with a fault, until one after it has worked, and how many came since then.

    `before` is what `last` was before the connection that ends in the frame `end` did.
    """

    last: _Ended = _Ended()
    since: int = 0
    before: _Ended = _Ended()
    end: int = 0


@memory
class _Devices:
    """The sessions of each device."""

    sessions: dict[str, _Sessions] = field(default_factory=dict)

    def of(self, device: str) -> _Sessions:
        """Those of one."""
        if device not in self.sessions and len(self.sessions) >= _MOST_DEVICES:
            self.sessions.clear()
        return self.sessions.setdefault(device, _Sessions())


@memory
class _Now(_Fault):
    """The processes of this connection."""

    pids: dict[str, str] = field(default_factory=dict)


def _follow(at: At[_Now]) -> _Ended:
    """Note what an event means for the next connections; return the one with a fault that this one comes after.

    In between there may be others that failed, such as one to a back-end that is about to end.
    """
    sessions, now, record = _sessions(at), at.memory, at.event.record
    if record.kind is RecordKind.CONNECTION_OPENED:
        now.pids = {side: str(record.details.get(key, "")) for side, key in _PIDS.items()}
    now.see(at)
    if at.over and sessions.end != at.frame:
        sessions.end, sessions.before = at.frame, sessions.last
        sessions.since += 1
        if now.frame:
            by = "" if _is_injected(at) else left_by(at)
            sessions.last = _Ended(now.frame, now.number, by, at.frame, at.time, now.pids)
            sessions.since = 0
        elif at.after.rings.were_started:
            sessions.last = _Ended()
    return sessions.before if at.over else sessions.last


def _sessions(at: At[object]) -> _Sessions:
    return at.lasting(_Devices).of(at.after.device_id)


@RULES.rule(
    "VU-FLT-03",
    Severity.WARNING,
    "a fault does not end the process of a side",
    _SOURCE,
    _OPENED | _CLOSED | _INJECTED,
    remembers=_Now,
)
def crashed_after_fault(at: At[_Now]) -> Findings:
    before = _follow(at)
    if at.event.record.kind is RecordKind.CONNECTION_OPENED and before.fault and before.by:
        old, new = before.pids.get(before.by, ""), at.memory.pids[before.by]
        if old and new and old != new:
            _sessions(at).last = before._replace(by="")
            yield at.finding(
                f"the {before.by} that closed a connection in #{before.frame}, after fault "
                f"{before.number}, is another process now (pid {old}, then {new}): it crashed or was restarted",
                _BLAMES[before.by],
                frames=(before.fault, before.frame),
            )


@RULES.rule(
    "VU-FLT-04",
    Severity.WARNING,
    "the next session after a fault works",
    _SOURCE,
    ending() | _INJECTED,
    remembers=_Now,
)
def next_session_fails(at: At[_Now]) -> Findings:
    before = _follow(at)
    if not at.over:
        return
    by, lasted = left_by(at), at.time - before.time
    is_next = before.fault and _sessions(at).since <= 1 and not at.memory.frame
    if is_next and not at.after.rings.were_started and (by or lasted >= _LONG):
        how = f"the {by} closed it" if by else "it is open at the end of the capture"
        # Who ends a session that hangs is not the one that hangs.
        silent = next((each for each in at.unanswered if at.time - each.forwarded >= _SOON), None)
        blame = _BLAMES.get(by, Blame.UNKNOWN)
        if silent is not None:
            how, blame = f"{request_text(silent)} was not answered, and {how}", _BLAMES[_receiver(silent).label]
        yield at.finding(
            f"this is the session after fault {before.number}, and no ring was ever started in it: {how} after "
            f"{time_text(lasted)}",
            blame,
            frames=(before.fault, before.frame),
        )


@RULES.rule(
    "VU-FLT-05",
    Severity.INFO,
    "how long it takes until the rings run again after a fault",
    _SOURCE,
    requests(Purpose.SET_KICK, Purpose.ENABLE_RING) | ending() | _INJECTED,
    remembers=_Now,
)
def recovered_after_fault(at: At[_Now]) -> Findings:
    before = _follow(at)
    if at.event.message is not None and before.fault and _runs(at.after) and at.first():
        yield at.finding(
            f"recovered: rings run again {time_text(at.time - before.time)} after the connection with fault "
            f"{before.number} was closed (#{before.frame})",
            Blame.UNKNOWN,
            frames=(before.fault, before.frame),
        )


def _runs(state: State) -> bool:
    return any(ring.running for ring in state.rings.values())


@memory
class _Seen(_Now):
    """The rings whose lost requests were reported."""

    rings: set[int] = field(default_factory=set)


@RULES.rule(
    "VU-FLT-06",
    Severity.WARNING,
    "a fault does not lose requests",
    _SOURCE,
    events(RecordKind.RING_OBSERVED) | ending() | _INJECTED,
    remembers=_Seen,
)
def request_lost_after_fault(at: At[_Seen]) -> Findings:
    before, now = _follow(at), at.memory
    if at.event.record.kind is not RecordKind.RING_OBSERVED:
        return
    seen = observation_of(at.event.record.details)
    ring = at.before.rings.get(seen.ring) if seen is not None else None
    if seen is None or ring is None or ring.started is not Started.STARTED:
        return
    frame, number, time = (now.frame, now.number, now.time) if now.frame else (before.fault, before.number, before.time)
    since = (seen.time or at.time) - seen.waited
    if not frame or seen.waited < _LONG or since > time + _SOON or not waits_for_device(at.after, seen):
        return
    if seen.ring not in now.rings and len(now.rings) < _MOST_RINGS:
        now.rings.add(seen.ring)
        what = seen.request or count_text(seen.pending or 0, "request")
        yield at.finding(
            f"ring {seen.ring}: {what}, pending for {time_text(seen.waited)}, since fault {number}: lost, or never "
            "looked for again",
            Blame.BACK_END,
            frames=(frame,),
        )


@RULES.rule(
    "VU-FLT-07",
    Severity.WARNING,
    "a side answers the requests that it gets after a fault, and those that a fault sends",
    _SOURCE,
    ENDINGS | _INJECTED,
    remembers=_Fault,
)
def silent_after_fault(at: At[_Fault]) -> Findings:
    fault = at.memory
    if fault.see(at):
        return
    hang = hang_of(at)
    if hang is None or not fault.frame or fault.hides_answers:
        return
    for waits in hang.waits.values():
        request = next((each for each in waits if not each.withheld and each.frame > fault.first), None)
        if request is None or not _is_long(hang, request):
            continue
        side = _receiver(request)
        if hang.by != side.label:
            sent = "which a fault sent" if request.unsent else f"after fault {fault.number}"
            yield at.finding(
                f"the {side.label} does not answer {request_text(request)}, {sent}, for {_waited(hang, request)}",
                _BLAMES[side.label],
                frame=request.frame,
                frames=(fault.frame,),
            )
