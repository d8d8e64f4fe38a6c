"""VU-LOG and VU-PCP: migration with a dirty log and with postcopy. For device state see `handover`."""

from functools import cache

from vudissect.capture.record import Mark, RecordKind
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.hang import left_by, waited_in_vain
from vudissect.lint.memory import LastFrame, memory
from vudissect.lint.rule import SPEC, Findings, RuleBook, Trigger, ending, requests
from vudissect.lint.runs import purpose_of, ring_of
from vudissect.lint.words import count_text
from vudissect.protocol.features import F_LOG_ALL
from vudissect.protocol.model import Channel, Side
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.shared_memory import log_size
from vudissect.protocol.table import Protocol
from vudissect.session.event import Kind
from vudissect.session.rings import Ring, Started
from vudissect.session.state import Postcopy, State
from vudissect.wire.header import NEED_REPLY

RULES = RuleBook()

_MEMORY = (Purpose.REPLACE_MEMORY, Purpose.ADD_MEMORY)


def _logging(state: State) -> bool:
    return state.features.has(F_LOG_ALL)


def _with_end(*purposes: Purpose) -> Trigger:
    """For requests with one of these purposes, and for the end of the connection."""
    return Trigger(requests(*purposes).matches, ending().kinds, at_end=True)


@RULES.rule(
    "VU-LOG-01",
    Severity.ERROR,
    "with LOG_SHMFD the log comes as 16 bytes and a descriptor, without it there is no descriptor",
    f"{SPEC}, SET_LOG_BASE",
    requests(Purpose.SET_LOG),
)
def log_form(at: At) -> Findings:
    layout, descriptors = at.message.layout, at.event.descriptors
    if not at.message.fits or at.after.protocol_features.acked is None:
        return
    if not at.after.has("LOG_SHMFD"):
        if descriptors:
            yield at.finding(f"the log comes with {descriptors[0].name}, but LOG_SHMFD is not negotiated")
    elif layout.bare:
        yield at.finding(
            f"the log comes as {at.message.size} bytes, only an address: with LOG_SHMFD negotiated "
            "the back-end expects 16 bytes (size and offset) and a descriptor"
        )
    elif not descriptors and not at.event.record.marks & Mark.DESCRIPTORS_LOST:
        yield at.finding(
            f"the log of {at.fields['mmap_size']} bytes comes without a descriptor although LOG_SHMFD is negotiated: "
            "the back-end has nothing to map"
        )


@RULES.rule(
    "VU-LOG-02",
    Severity.WARNING,
    "the log covers the highest guest address: one bit for each 4096 bytes",
    f"{SPEC}, Migration",
    requests(Purpose.SET_LOG, *_MEMORY),
)
def log_covers_memory(at: At) -> Findings:
    state = at.after
    log, regions = state.log, state.memory.regions
    told_now = log is not None and log.frame == at.frame
    if log is None or not regions or not (told_now or _logging(state)):
        return
    last = state.memory.by_guest.end - 1
    if log.size < log_size(last):
        yield at.finding(
            f"the log has {count_text(log.size, 'byte')}; guest memory ends at {last:#x} and needs {log_size(last)}: "
            "writes beyond it are lost or crash the back-end",
            Blame.FRONT_END,
            frames=(state.memory.changed_in,) if told_now else (log.frame,),
        )


@RULES.rule(
    "VU-LOG-03",
    Severity.ERROR,
    "once LOG_ALL is on, the addresses of a running ring are sent again with the LOG flag",
    f"{SPEC}, Migration",
    _with_end(Purpose.STOP_RING),
)
def log_of_rings(at: At) -> Findings:
    log = at.after.log
    if log is None or not _logging(at.after):
        return
    for ring in at.after.rings.values() if at.over else _stopped_now(at):
        addresses = ring.addresses
        if addresses is None or addresses.logged:
            continue
        if not at.over or ring.started is Started.STARTED:
            yield at.finding(
                f"ring {ring.index} ran while LOG_ALL was on, but its addresses (#{addresses.frame}) lack the LOG "
                "flag: the log lacks the back-end's writes to its used ring",
                Blame.FRONT_END,
                frames=tuple(sorted((addresses.frame, log.frame))),
            )


def _stopped_now(at: At) -> list[Ring]:
    ring = ring_of(at)
    return [ring] if ring is not None and ring.stopped_in == at.frame else []


@RULES.rule(
    "VU-LOG-04",
    Severity.WARNING,
    "while LOG_ALL is on, rings are not changed before the new log is in effect",
    f"{SPEC}, SET_LOG_BASE: the reply means that the old log is no longer used",
    requests(Purpose.SET_RING_ADDRESSES, Purpose.SET_RING_BASE, Purpose.SET_KICK, Purpose.ENABLE_RING),
)
def log_in_force(at: At) -> Findings:
    if not _logging(at.after):
        return
    request = at.waiting[Channel.MAIN].oldest(_log_number(at.after.protocol))
    if request is not None:
        yield at.finding(
            f"{at.name} of ring {at.fields.get('index')} is sent while the log of #{request.frame} is not yet "
            "acknowledged: writes to the ring until then may go to the old log, or to none",
            frames=(request.frame,),
        )


@cache
def _log_number(protocol: Protocol) -> int:
    return next((row.id for row in protocol.channel(Channel.MAIN) if row.purpose is Purpose.SET_LOG), -1)


@memory
class _Steps:
    """The frames in which a ring was last stopped and a transfer of device state was begun; 0 for none."""

    stopped_in: int = 0
    transfer_in: int = 0


@RULES.rule(
    "VU-LOG-05",
    Severity.INFO,
    "a migration with a dirty log but without device state",
    f"{SPEC}, Migration",
    _with_end(Purpose.STOP_RING, Purpose.START_STATE_TRANSFER),
    remembers=_Steps,
    usual=True,
)
def log_only(at: At[_Steps]) -> Findings:
    state, steps = at.after, at.memory
    if not at.over:
        if purpose_of(at) is Purpose.STOP_RING:
            steps.stopped_in = at.frame
        else:
            steps.transfer_in = at.frame
        return
    log = state.log
    if not steps.stopped_in or log is None or not _logging(state) or steps.transfer_in or state.rings.started:
        return
    yield at.finding(
        f"the rings were stopped with the dirty log on ({log.size} bytes since #{log.frame}): a live migration; "
        "no device state was transferred, so any state of the back-end besides the rings is lost"
        + ("" if state.has("DEVICE_STATE") else " (DEVICE_STATE is not negotiated)"),
        Blame.UNKNOWN,
        frame=steps.stopped_in,
        frames=(log.frame,),
    )


@RULES.rule(
    "VU-PCP-01",
    Severity.ERROR,
    "postcopy is advised before it listens, and then memory messages are answered with the back-end's addresses",
    f"{SPEC}, POSTCOPY_LISTEN, SET_MEM_TABLE",
    Trigger(
        lambda row, reply: row.purpose in (_MEMORY if reply else (Purpose.ADVISE_POSTCOPY, Purpose.START_POSTCOPY)),
        ending().kinds,
        at_end=True,
    ),
    remembers=LastFrame,
)
def postcopy_order(at: At[LastFrame]) -> Findings:
    if at.over:
        yield from _memory_unanswered(at)
        return
    row, request = at.message.row, at.event.request
    if at.message.reply:
        if request is not None and request.owed and at.event.kind is Kind.ACK and _listens(at.after):
            yield at.finding(
                f"{at.name} is answered with an acknowledgement, but postcopy listens: the answer must have the form "
                "of the request, with the addresses at which the back-end mapped the memory",
                frames=(request.frame,),
            )
    elif row.purpose is Purpose.ADVISE_POSTCOPY:
        at.memory.frame = at.frame
    elif not at.memory.frame and at.after.whole:
        yield at.finding(
            f"{at.name} is sent without an earlier advise message: the back-end has no userfaultfd to listen on"
        )


def _listens(state: State) -> bool:
    return state.postcopy is Postcopy.LISTENING


def _memory_unanswered(at: At) -> Findings:
    if _listens(at.after):
        for request in waited_in_vain(at):
            if request.row.purpose in _MEMORY:
                yield at.finding(
                    f"{request.row.name} of #{request.frame} was never answered: while postcopy listens the back-end "
                    "must send the addresses at which it mapped the memory, with or without NEED_REPLY",
                    Blame.BACK_END,
                    frame=request.frame,
                )


@RULES.rule(
    "VU-PCP-02",
    Severity.ERROR,
    "a memory message that is answered for postcopy does not ask for an acknowledgement as well",
    "QEMU 5ce43896e1; DPDK and libvhost-user answer such a request twice",
    requests(Purpose.START_POSTCOPY, *_MEMORY),
    remembers=LastFrame,
)
def postcopy_need_reply(at: At[LastFrame]) -> Findings:
    row = at.message.row
    if row.purpose is Purpose.START_POSTCOPY:
        at.memory.frame = at.frame
    elif at.message.flags & NEED_REPLY and _listens(at.after) and _tells_memory(at):
        yield at.finding(
            f"{at.name} asks for an acknowledgement (NEED_REPLY) while postcopy listens: its answer is the table "
            "of addresses; back-ends that send both send one too many, which is mistaken for the next answer",
            frames=(at.memory.frame,) if at.memory.frame else (),
        )


def _tells_memory(at: At) -> bool:
    """Whether it has regions; without, it only ends the exchange of addresses."""
    return bool(at.fields.get("regions")) or "guest_addr" in at.fields


@RULES.rule(
    "VU-PCP-03",
    Severity.WARNING,
    "the back-end accepts the message that ends the exchange of addresses, which has no region and no descriptor",
    "QEMU hw/virtio/vhost-user.c; libvhost-user expects a descriptor and aborts",
    Trigger(requests(Purpose.ADD_MEMORY).matches, frozenset({RecordKind.CONNECTION_CLOSED})),
    remembers=LastFrame,
)
def postcopy_end_of_exchange(at: At[LastFrame]) -> Findings:
    if not at.over:
        layout = at.message.layout
        if layout.bare:
            at.memory.frame = at.frame
        return
    consumed = at.memory.frame
    if consumed and at.waiting.answered < consumed and left_by(at) == Side.BACK_END.label:
        yield at.finding(
            f"the back-end closed the connection without answering after #{consumed}, which has 8 bytes and no "
            "descriptor, confirmed that all addresses have arrived: it seems to expect a region with a descriptor",
            Blame.BACK_END,
            frames=(consumed,),
        )


@RULES.rule(
    "VU-PCP-04",
    Severity.ERROR,
    "the end of postcopy is always answered",
    f"{SPEC}, POSTCOPY_END; rust-vmm answers only if NEED_REPLY is set",
    ending(),
)
def postcopy_end(at: At) -> Findings:
    for request in waited_in_vain(at):
        if request.row.purpose is Purpose.END_POSTCOPY:
            asked = "with" if request.flags & NEED_REPLY else "without"
            yield at.finding(
                f"{request.row.name} of #{request.frame} ({asked} NEED_REPLY) was never answered; "
                "its answer is always due",
                Blame.BACK_END,
                frame=request.frame,
            )
