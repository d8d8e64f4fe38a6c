"""VU-TIM: what takes long, and what happens repeatedly."""

from vudissect.capture.record import Mark, RecordKind
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.hang import ENDINGS, Closings, hang_of
from vudissect.lint.memory import memory
from vudissect.lint.rule import SLOW, SPEC, Findings, RuleBook, events, irregular, requests
from vudissect.lint.runs import purpose_of
from vudissect.lint.words import event_name, event_text, request_text, time_text
from vudissect.protocol.model import Channel, Side
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.usual import is_far_too_late, is_late, may_take_long, usual_time
from vudissect.session.event import MessageEvent
from vudissect.session.rings import Enabled

RULES = RuleBook()

# This many connections in a row that end alike, each opened at most this long (ns) after the one before, are a loop.
_LOOP = 3
_SOON = 15_000_000_000

_BLAMES = {Side.FRONT_END.label: Blame.FRONT_END, Side.BACK_END.label: Blame.BACK_END}


@RULES.rule(
    "VU-TIM-01",
    Severity.WARNING,
    "an answer does not take far longer than is usual for its message and the program that answers",
    "measured: most answers take some milliseconds; memory is populated, and requests in flight are finished first",
    irregular(),
)
def slow_answer(at: At) -> Findings:
    request, latency = at.event.request, at.event.latency or 0
    if request is None or not request.row.known:
        return
    command = at.after.programs[at.event.record.sender]
    far = is_far_too_late(request.row, command, latency)
    # Of rings that are slow to stop VU-INF-03 says more.
    if far or (is_late(request.row, command, latency) and request.row.purpose is not Purpose.STOP_RING):
        usual = usual_time(request.row, command)
        yield at.finding(
            f"the answer to {request_text(request)} took the {at.sender.value} {time_text(latency)}; usual are up to "
            f"{time_text(usual.time)} ({usual.source})",
            frames=(request.frame,),
            severity=None if far else Severity.INFO,
        )


@memory
class _Loop:
    """Consecutive connections that end alike: since when (ns), the frames of their ends, the back-ends' processes."""

    end: tuple[object, ...]
    since: int
    closed: int = 0
    frames: tuple[int, ...] = ()
    processes: frozenset[str] = frozenset()


@memory
class _Opened:
    """When the connection was opened (ns, 0 if not captured), and the process of its back-end ("" if unknown)."""

    time: int = 0
    process: str = ""


@memory
class _Loops:
    """The consecutive connections that end alike; None once one of them got further."""

    loop: _Loop | None = None


@RULES.rule(
    "VU-TIM-02",
    Severity.WARNING,
    "connections do not end unexpectedly again and again",
    "QEMU with reconnect: 'Failed to set msg fds', 'ring restore failed: -22', once for each attempt",
    events(RecordKind.CONNECTION_OPENED, RecordKind.CONNECTION_CLOSED),
    remembers=_Opened,
)
def reconnect_loop(at: At[_Opened]) -> Findings:
    record, by = at.event.record, str(at.event.record.details.get("by", ""))
    if record.kind is RecordKind.CONNECTION_OPENED:
        at.memory.time, at.memory.process = record.received, str(record.details.get("back_end_pid", ""))
        return
    loops = at.lasting(_Loops)
    asked = [event for event in at.recent(Channel.MAIN) if event.record.sender is Side.FRONT_END]
    if not asked or (by != Side.BACK_END.label and at.after.rings.were_started):
        loops.loop = None  # nothing was sent, or it got further
        return
    opened, process = at.memory.time or record.received, at.memory.process
    end = (at.after.programs, by, event_name(asked[-1]))
    loop = loops.loop
    if loop is None or loop.end != end or opened - loop.closed > _SOON:
        loop = loops.loop = _Loop(end, opened)
    loop.closed = record.received
    if len(loop.frames) == _LOOP:
        return
    loop.frames += (record.frame,)
    loop.processes |= {process}
    if len(loop.frames) == _LOOP:
        yield at.finding(
            f"{_LOOP} connections within {time_text(record.received - loop.since)} ended alike: the {by} closed "
            f"the connection ({record.details.get('how', '')}) {_where(asked)}{_which(loop.processes)}",
            _BLAMES.get(by, Blame.UNKNOWN),
            frames=loop.frames[:-1],
        )


def _where(asked: list[MessageEvent]) -> str:
    """The message after which a back-end closed the connection, and the first one that it missed."""
    taken = [event for event in asked if not event.record.marks & Mark.NOT_FORWARDED]
    missed = [event for event in asked if event.record.marks & Mark.NOT_FORWARDED]
    texts = [f"after {event_text(event)}" for event in taken[-1:]]
    return " ".join(texts + [f"and did not read {event_text(event)}" for event in missed[:1]])


def _which(processes: frozenset[str]) -> str:
    """Whether a back-end dies, or closes each connection of a front-end that reconnects."""
    if "" in processes:
        return ""
    if len(processes) == 1:
        return f"; the back-end keeps running (pid {min(processes)})"
    return f"; the back-end is restarted each time (pids {', '.join(sorted(processes))})"


@memory
class _First:
    """The first ring started while disabled, its frame (0: none) and time (ns), and whether any ring has run."""

    index: int = 0
    frame: int = 0
    time: int = 0
    has_run: bool = False


@RULES.rule(
    "VU-TIM-03",
    Severity.WARNING,
    f"rings are enabled within {SLOW // 1_000_000_000} s of the first start",
    f"{SPEC}, Ring states: a ring that is not enabled is not processed",
    requests(Purpose.SET_KICK, Purpose.ENABLE_RING),
    remembers=_First,
)
def late_enable(at: At[_First]) -> Findings:
    # Only while no ring runs: further queue pairs of a network device are enabled when the driver needs them.
    ring, first = at.after.rings.get(at.fields.get("index", -1)), at.memory
    if ring is None or not at.after.whole:
        return
    if purpose_of(at) is Purpose.SET_KICK:
        if ring.enabled is Enabled.DISABLED and not first.frame:
            first.index, first.frame, first.time = ring.index, at.frame, at.time
        return
    running = at.after.rings.running
    if not running or first.has_run:
        return
    first.has_run = True
    if first.frame and running == 1 and ring.running and (waited := at.time - first.time) > SLOW:
        yield at.finding(
            f"ring {ring.index} is the first to be enabled, {time_text(waited)} after ring {first.index} was started "
            f"in #{first.frame}: until then the back-end processed none",
            frames=(first.frame,),
        )


@RULES.rule(
    "VU-TIM-04",
    Severity.INFO,
    "the connection does not fall silent while an answer is due",
    "measured: an unanswered request followed by silence on every channel is a deadlock in one of the programs",
    ENDINGS,
    remembers=Closings,
)
def silence(at: At[Closings]) -> Findings:
    hang = hang_of(at)
    recent = [at.recent(channel) for channel in Channel]
    last = max((events[-1].record.received for events in recent if events), default=0)
    if hang is None or not hang.by or hang.at - last < SLOW:
        return
    waiting = [requests[0] for requests in hang.waits.values() if not may_take_long(requests[0].row)]
    if not waiting:
        return
    oldest = min(waiting, key=lambda request: request.frame)
    texts = [
        f"on the {channel.label} channel "
        + ", ".join(f"{each.record.sender.label} {event_text(each)}" for each in events)
        for channel, events in zip(Channel, recent, strict=True)
        if events
    ]
    yield at.finding(
        f"silence for {time_text(hang.at - last)} on every channel while {request_text(oldest)} waits for its answer; "
        f"last messages: {'; '.join(texts)}",
        Blame.UNKNOWN,
        frame=oldest.frame,
    )
