"""VU-HDR: the header of a message, and how the message arrived on the socket."""

from dataclasses import field

from vudissect.capture.record import Mark
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.memory import memory
from vudissect.lint.rule import SPEC, Findings, RuleBook, carrying, ending, irregular, messages
from vudissect.lint.words import SECOND
from vudissect.protocol.crypto import SESSION_C1
from vudissect.protocol.dialects.drafts import MST_2015
from vudissect.protocol.features import F_PROTOCOL_FEATURES
from vudissect.protocol.model import Answer, Channel, Layout, Meaning, Row, Side
from vudissect.protocol.programs import room_of
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import UPSTREAM
from vudissect.wire.header import HEADER_SIZE, NEED_REPLY, REPLY, VERSION_MASK, detect_byte_order

RULES = RuleBook()

_HEADER = f"{SPEC}, Header"
_RESERVED = 0xFFFF_FFFF & ~(VERSION_MASK | REPLY | NEED_REPLY)
_MESSAGE_ERROR = MST_2015.protocol.header.error

# The smallest buffer of any program.
_ALWAYS_FITS = 272
# So many numbers after the last one are the next that upstream will give.
_NEXT = 16


@RULES.rule(
    "VU-HDR-01",
    Severity.ERROR,
    "a message number is defined in the dialect, and a back-end handles the messages of the features that it offers",
    f"{_HEADER}; libvhost-user and VPP close the connection on unknown messages, DPDK refuses them",
    messages(lambda row, reply: not row.known and not reply) | ending(),
)
def known_number(at: At) -> Findings:
    if at.over:
        yield from _offered_but_unknown(at)
        return
    message, channel = at.message, at.event.record.channel
    if len(message.data) < HEADER_SIZE or _has_error_bit(at):
        return  # cut short, and VU-HDR-12
    number = message.id
    header = f"number {number:#x}, flags {message.flags:#x}, size {message.size}"
    if _is_swapped(at):
        if at.first("swapped"):
            yield at.finding(f"the header makes sense only in the other byte order ({header}): the receiver is lost")
    elif channel is not Channel.GPU and _is_wild(at):
        if at.first(channel):
            yield at.finding(
                f"this is no header ({header}): the {channel.label} channel is out of step from here on, "
                "most likely a payload before it was longer or shorter than its size"
            )
    elif _is_newer(at):
        if at.first((channel, number)):
            yield at.finding(
                f"message {number} of the {channel.label} channel ({header}) is newer than this table, which ends with "
                f"{number - UPSTREAM.follows(channel, number)}: it is shown as bytes, and not judged",
                Blame.UNKNOWN,
                severity=Severity.INFO,
            )
    elif at.first((channel, number)):
        yield at.finding(
            f"message {number} of the {channel.label} channel is not defined ({header}, dialect "
            f"{at.after.protocol.key}): receivers refuse it or close the connection"
        )


def _is_newer(at: At) -> bool:
    """Whether the message may have come to upstream after this table: its number is one of the next.

    Where a feature bit has come since, too, it may be any.
    """
    features, channel = at.after.protocol_features, at.event.record.channel
    follows = UPSTREAM.follows(channel, at.message.id)
    newer = UPSTREAM.newer_features((features.offered or 0) | (features.acked or 0))
    return follows > 0 and (follows <= _NEXT or bool(newer))


def _offered_but_unknown(at: At) -> Findings:
    """A back-end that offers PROTOCOL_FEATURES but does not answer when asked for them."""
    if not (at.after.features.offered or 0) & F_PROTOCOL_FEATURES:
        return
    for request in at.unanswered[:1]:
        row = request.row
        hung_up = at.event.record.details.get("by") == Side.BACK_END.label
        waited = at.time - request.forwarded
        if row.purpose is Purpose.OFFER_PROTOCOL_FEATURES and (hung_up or waited >= SECOND):
            reaction = "hung up on" if hung_up else "never answered"
            yield at.finding(
                f"the back-end offers PROTOCOL_FEATURES but {reaction} {row.name} (message {row.id}), "
                "which that feature requires it to handle",
                Blame.BACK_END,
                frame=request.frame,
                frames=(at.frame,),
            )


def _is_wild(at: At) -> bool:
    flags = at.message.flags
    return bool(flags & _RESERVED) or flags & VERSION_MASK not in at.after.protocol.header.versions


def _is_swapped(at: At) -> bool:
    order = detect_byte_order(at.message.data)
    return order is not None and (order == "big") != bool(at.event.record.marks & Mark.BIG_ENDIAN)


def _has_error_bit(at: At) -> bool:
    """Whether it is a known number with the error bit, which only one dialect defines, and which is not in effect."""
    protocol, number = at.after.protocol, at.message.id
    known = protocol.request(at.event.record.channel, number & ~_MESSAGE_ERROR) is not None
    return bool(number & _MESSAGE_ERROR) and known and not protocol.header.error


def _has_header(at: At) -> bool:
    """Whether the header can be checked: it is of a known message, and not of the GPU channel."""
    return at.message.row.known and at.event.record.channel is not Channel.GPU


@RULES.rule(
    "VU-HDR-02",
    Severity.ERROR,
    "the version in the header is 1",
    f"{_HEADER}; rust-vmm and VPP refuse others",
    irregular(),
)
def version(at: At) -> Findings:
    wrong, allowed = at.message.flags & VERSION_MASK, at.after.protocol.header.versions
    if _has_header(at) and wrong not in allowed and at.first(at.sender):
        expected = " or ".join(map(str, allowed))
        yield at.finding(f"{at.name} has header version {wrong}, not {expected} (flags {at.message.flags:#x})")


@RULES.rule(
    "VU-HDR-03",
    Severity.ERROR,
    "answers have the REPLY flag, requests do not",
    f"{_HEADER}; QEMU, SPDK and DPDK virtio-user accept only answers with flags 0x5",
    irregular(),
)
def reply_flag(at: At) -> Findings:
    message, request = at.message, at.event.request
    if not _has_header(at) or bool(message.flags & REPLY) == message.reply:
        return
    if not message.reply:
        yield at.finding(f"{at.name} is a request but has the REPLY flag (flags {message.flags:#x})")
    elif request is not None:
        yield at.finding(
            f"the answer to {at.name} lacks the REPLY flag (flags {message.flags:#x}): it is not treated as an answer",
            frames=(request.frame,),
        )


@RULES.rule(
    "VU-HDR-04",
    Severity.WARNING,
    "the reserved bits of the header's flags are zero",
    f"{_HEADER}; rust-vmm refuses others, QEMU accepts only answers with flags 0x5",
    irregular(),
)
def reserved_flags(at: At) -> Findings:
    flags = at.message.flags
    if _has_header(at) and flags & _RESERVED and at.first(at.sender):
        yield at.finding(f"{at.name} has flags {flags:#x}: the bits {flags & _RESERVED:#x} are reserved")


@RULES.rule(
    "VU-HDR-05",
    Severity.ERROR,
    "an answer does not have the NEED_REPLY flag",
    f"{_HEADER}; QEMU, SPDK, DPDK virtio-user and UML refuse answers with flags 0xd, libvhost-user sends them",
    irregular(),
)
def reply_needs_reply(at: At) -> Findings:
    message, request = at.message, at.event.request
    if message.reply and _has_header(at) and message.flags & NEED_REPLY and at.first(message.id):
        yield at.finding(
            f"the answer to {at.name} repeats the request's NEED_REPLY (flags {message.flags:#x}): "
            "front-ends that compare the flags with 0x5 drop the connection",
            frames=(request.frame,) if request is not None else (),
        )


@RULES.rule(
    "VU-HDR-06",
    Severity.WARNING,
    "NEED_REPLY is set only once REPLY_ACK is negotiated",
    f"{SPEC}, REPLY_ACK; rust-vmm then does not answer, DPDK and libvhost-user do",
    # Messages that are always or never answered do not depend on the flag.
    messages(lambda row, reply: not reply and _waits_for_flag(row)),
)
def unnegotiated_need_reply(at: At) -> Findings:
    if asks_in_vain(at) and at.first():
        yield at.finding(
            f"{at.name} asks for an acknowledgement (NEED_REPLY), but {why_no_acknowledgement(at)}: "
            "DPDK and libvhost-user answer anyway, rust-vmm does not"
        )


def _waits_for_flag(row: Row) -> bool:
    return row.channel is Channel.MAIN and row.answer not in (Answer.ALWAYS, Answer.NEVER)


def asks_in_vain(at: At) -> bool:
    """Whether the message asks for an acknowledgement that was not negotiated."""
    return bool(at.message.flags & NEED_REPLY) and at.after.lacks("REPLY_ACK")


def why_no_acknowledgement(at: At) -> str:
    """Why the message need not be acknowledged."""
    if at.after.protocol_features.offered is None:
        return "REPLY_ACK was not negotiated"
    if at.after.offers("REPLY_ACK"):
        return "the front-end did not acknowledge the REPLY_ACK that was offered"
    return "the back-end does not offer REPLY_ACK"


@RULES.rule(
    "VU-HDR-07",
    Severity.ERROR,
    "the payload has the size that is defined for the message, and is complete",
    f"{SPEC}, Message types; rust-vmm and crosvm enforce it, libvhost-user and DPDK in part",
    irregular(),
)
def payload_size(at: At) -> Findings:
    message, record = at.message, at.event.record
    if record.length < HEADER_SIZE + message.size:
        name = at.name if len(message.data) >= HEADER_SIZE else "a message"
        yield at.finding(
            f"{name} was never completed, {message.problem}: its sender closed the connection before the end"
        )
    elif (
        not message.reply  # answers: VU-RPL-06
        and message.row.known
        and not message.fits
        and not _has_size_rule(message.row, message.size)
        and record.length == len(message.data)  # else the snap length cut off the evidence
    ):
        yield at.finding(f"{at.name}: the {message.problem}; its receiver refuses it or reads past its end")


def _has_size_rule(row: Row, size: int) -> bool:
    """Whether a more specific rule checks this size: VU-MEM-10, VU-CRY-01, VU-GPU-01."""
    return row.purpose is Purpose.REPLACE_MEMORY or any(
        SESSION_C1 is layout
        or (layout.tail is not None and layout.tail.field.meaning is Meaning.PIXELS and size >= layout.fixed_size)
        for layout in row.request
    )


@RULES.rule(
    "VU-HDR-08",
    Severity.ERROR,
    "a message is not longer than its receiver has room for",
    "QEMU, libvhost-user, DPDK, rust-vmm: size of their message buffers",
    messages(lambda row, reply: _may_be_long(row, reply)),
)
def too_large_payload(at: At) -> Findings:
    message = at.message
    if not message.fits:
        return  # VU-HDR-07
    receiver = Side(1 - at.event.record.sender)
    room = room_of(at.after.programs[receiver], receiver)
    if room.payload is not None and message.size > room.payload:
        yield at.finding(f"{at.name} has {message.size} bytes of payload, but {room.title} has room for {room.payload}")


def _may_be_long(row: Row, reply: bool) -> bool:
    layouts: tuple[Layout, ...] = row.reply if reply else row.request
    return row.channel is not Channel.GPU and any(
        layout.size is None or layout.size > _ALWAYS_FITS for layout in layouts
    )


@RULES.rule(
    "VU-HDR-09",
    Severity.WARNING,
    "a front-end sends a message with one write",
    "DPDK, libvhost-user, SPDK and VPP read header and payload with one call each",
    irregular(),
)
def one_write(at: At) -> Findings:
    # Only front-ends: libvhost-user writes header and payload separately, and front-ends accept that. A message read
    # together with the one before it may have been split by the proxy's own read.
    marks = at.event.record.marks
    split = bool(marks & Mark.SPLIT) and not marks & (Mark.GLUED | Mark.CUT_SHORT)
    if split and at.sender is Blame.FRONT_END and at.event.record.channel is not Channel.GPU and at.first():
        yield at.finding(
            f"{at.name} ({HEADER_SIZE + at.message.size} bytes) came in more than one piece: without the proxy, which "
            "joins them, DPDK, libvhost-user, SPDK and VPP may treat the first piece as the whole message"
        )


@RULES.rule(
    "VU-HDR-10",
    Severity.ERROR,
    "no descriptor is lost in transit",
    "recvmsg(2), MSG_CTRUNC; VPP, DPDK and OpenVMM close the connection",
    irregular(),
)
def descriptors_lost(at: At) -> Findings:
    if at.event.record.marks & Mark.DESCRIPTORS_LOST:
        yield at.finding(
            f"the kernel dropped descriptors of {at.name}, {len(at.event.descriptors)} left: vuproxy had reached "
            "its limit of open files (ulimit -n), or more than 253 were sent; the receiver did not get them",
            Blame.UNKNOWN,
        )


@RULES.rule(
    "VU-HDR-11",
    Severity.INFO,
    "descriptors belong to their own message, even if several messages arrive in one read",
    "unix(7), SCM_RIGHTS: a read does not continue past the write that carried descriptors",
    carrying(),
    usual=True,
)
def glued_descriptors(at: At) -> Findings:
    # Every front-end pipelines; it matters only with descriptors, and once is enough.
    if at.event.record.marks & Mark.GLUED and at.first():
        yield at.finding(
            f"{at.name} and its {at.event.descriptors[0].name} arrived in one read with earlier messages: a receiver "
            "or relay that assigns the descriptor to the first of them is wrong",
            Blame.UNKNOWN,
        )


@RULES.rule(
    "VU-HDR-12",
    Severity.ERROR,
    "the error bit in the message number belongs to one draft only",
    MST_2015.source,
    irregular(),
)
def error_bit(at: At) -> Findings:
    row = at.after.protocol.request(at.event.record.channel, at.message.id & ~_MESSAGE_ERROR)
    if row is not None and _has_error_bit(at):
        yield at.finding(
            f"message {at.message.id:#x} is {row.name} with the error bit {_MESSAGE_ERROR:#x}, which only the dialect "
            f"{MST_2015.key} defines: to the receiver the message is unknown"
        )


@memory
class _Orders:
    """Whether each side was seen to send big-endian."""

    are_big: dict[Side, bool] = field(default_factory=dict)


@RULES.rule(
    "VU-HDR-13",
    Severity.COMPAT,
    "both sides use the byte order of the same machine",
    f"{_HEADER}: native byte order",
    messages(lambda row, reply: row.purpose in (Purpose.OFFER_FEATURES, Purpose.OFFER_PROTOCOL_FEATURES)),
    remembers=_Orders,
)
def byte_order(at: At[_Orders]) -> Findings:
    orders = at.memory.are_big
    sender, other = at.event.record.sender, Side(1 - at.event.record.sender)
    orders[sender] = bool(at.event.record.marks & Mark.BIG_ENDIAN)
    if orders.get(other, orders[sender]) != orders[sender]:
        if at.first("mixed"):
            big, little = (sender, other) if orders[sender] else (other, sender)
            yield at.finding(
                f"the {big.label} sends big-endian, the {little.label} little-endian: neither understands the other",
                Blame.BOTH,
            )
    elif orders[sender] and at.first("big"):
        yield at.finding(
            f"the {sender.label} sends big-endian: correct on a big-endian machine, unreadable for a peer on any other",
            Blame.UNKNOWN,
        )
