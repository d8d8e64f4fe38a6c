"""VU-FD: how many descriptors a message carries, of which kind, and whether they match the message."""

from vudissect.capture.record import Mark
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.memory import memory
from vudissect.lint.rule import SPEC, Findings, RuleBook, carrying, ending, irregular, messages, requests
from vudissect.protocol.model import Channel, Descriptors, FdKind, Row, Side
from vudissect.protocol.programs import room_of
from vudissect.protocol.purpose import Purpose
from vudissect.session.names import NamedDescriptor
from vudissect.wire.codec import WireMessage

RULES = RuleBook()

_ANCILLARY = f"{SPEC}, Ancillary data"

_MEMORY = frozenset({DescriptorKind.MEMFD, DescriptorKind.FILE, DescriptorKind.DMABUF, DescriptorKind.DEVICE})
# Kinds that the kernel reports for a descriptor, by the kind that the message needs. Pipes for kicks, calls and the
# back-end channel are for systems without eventfd and for User-mode Linux; device memory is a VFIO anonymous inode.
_FITTING = {
    FdKind.MEMORY: _MEMORY,
    FdKind.EVENT: frozenset({DescriptorKind.EVENTFD, DescriptorKind.PIPE}),
    FdKind.SOCKET: frozenset({DescriptorKind.SOCKET, DescriptorKind.PIPE}),
    FdKind.PIPE: frozenset({DescriptorKind.PIPE, DescriptorKind.FILE, DescriptorKind.MEMFD, DescriptorKind.SOCKET}),
    FdKind.USERFAULTFD: frozenset({DescriptorKind.USERFAULTFD}),
    FdKind.DMABUF: frozenset({DescriptorKind.DMABUF}),
    FdKind.FILE: _MEMORY | {DescriptorKind.ANON},
}

# Linux's fcntl.h.
_ACCESS_MODE = 0o3
_READ_ONLY = 0o0
_SEALS_AGAINST_WRITING = 0x8 | 0x10

_MOST_LISTED = 20

# The fields with the offset and the length of the part of the file that a message is about.
_EXTENTS = {
    Purpose.ADD_MEMORY: ("mmap_offset", "size"),
    Purpose.SET_LOG: ("mmap_offset", "mmap_size"),
    Purpose.OFFER_INFLIGHT: ("mmap_offset", "mmap_size"),
    Purpose.SET_INFLIGHT: ("mmap_offset", "mmap_size"),
    Purpose.MAP_SHARED_MEMORY: ("fd_offset", "len"),
}


def _taken(row: Row, reply: bool) -> Descriptors:
    return row.reply_fds if reply else row.fds


def _most(message: WireMessage) -> int | None:
    """The most descriptors that a message may carry; None if unknown or counted otherwise."""
    taken = _taken(message.row, message.reply)
    if not message.row.known or taken.per or taken.unless:
        return None
    return 0 if message.layout.bare else taken.most


def _is_told_elsewhere(message: WireMessage) -> bool:
    """Surplus descriptors that have a rule of their own: VU-FD-07, VU-LOG-01."""
    row = message.row
    return not message.reply and row.purpose in (Purpose.REMOVE_MEMORY, Purpose.SET_LOG)


def _named(descriptors: tuple[NamedDescriptor, ...]) -> str:
    more = f" and {len(descriptors) - 8} more" if len(descriptors) > 8 else ""
    return ", ".join(named.name for named in descriptors[:8]) + more


def _count(number: int) -> str:
    return f"{number or 'no'} descriptor{'s' * (number != 1)}"


@RULES.rule(
    "VU-FD-01",
    Severity.ERROR,
    "a message carries no more descriptors than it may have",
    f"{_ANCILLARY}; rust-vmm and DPDK refuse others, libvhost-user leaks them",
    carrying(),
)
def surplus(at: At) -> Findings:
    most, carried = _most(at.message), at.event.descriptors
    if most is not None and len(carried) > most and not _is_told_elsewhere(at.message):
        what = f"the answer to {at.name}" if at.message.reply else at.name
        yield at.finding(
            f"{what} takes {_count(most)} but carries {len(carried)} ({_named(carried)}): "
            "rust-vmm and DPDK refuse it, others leak them"
        )


@RULES.rule(
    "VU-FD-02",
    Severity.ERROR,
    "a message carries the descriptors that it needs",
    f"{_ANCILLARY}; DPDK: 'expect %d FDs for request %s, received %d'",
    messages(lambda row, reply: _needs_some(row, reply)),
)
def missing(at: At) -> Findings:
    message, carried = at.message, len(at.event.descriptors)
    if not message.fits or message.layout.bare or _lost(at):
        return
    taken = _taken(message.row, message.reply)
    what = f"the answer to {at.name}" if message.reply else at.name
    if taken.per:
        wanted = at.fields[taken.per]
        if carried != wanted:
            yield at.finding(f"{what} has {taken.per} {wanted} but {_count(carried)}")
    elif carried < taken.least:
        yield at.finding(f"{what} has {_count(carried)}, it needs {_count(taken.least)} ({taken.kind.value})")


def _needs_some(row: Row, reply: bool) -> bool:
    taken = _taken(row, reply)
    return bool(taken.least or taken.per)


def _lost(at: At) -> bool:
    """Whether descriptors are missing because the kernel dropped them: VU-HDR-10."""
    return bool(at.event.record.marks & Mark.DESCRIPTORS_LOST)


@RULES.rule(
    "VU-FD-03",
    Severity.ERROR,
    "bit 8 of the message (no descriptor) agrees with the descriptors that it carries",
    f"{SPEC}, Front-end message types; rust-vmm refuses contradictions",
    messages(lambda row, reply: bool(_taken(row, reply).unless)),
)
def contradiction(at: At) -> Findings:
    fields, carried = at.fields, at.event.descriptors
    denied = fields.get(_taken(at.message.row, at.message.reply).unless)
    if denied is None or _lost(at) or fields.get("error"):  # a failure: VU-DST-01
        return
    which = f" of ring {fields['index']}" if "index" in fields else ""
    if denied and carried:
        yield at.finding(f"{at.name}{which} carries {_named(carried)} although its bit 8 says that it carries none")
    elif not denied and not carried:
        yield at.finding(f"{at.name}{which} carries no descriptor although its bit 8 does not say so")


@RULES.rule(
    "VU-FD-04",
    Severity.WARNING,
    "a message for one descriptor of a ring carries one",
    "VPP ('More than one fd'), libvhost-user",
    carrying(),
)
def several_for_a_ring(at: At) -> Findings:
    row, carried = at.message.row, at.event.descriptors
    if _taken(row, at.message.reply).unless and len(carried) > 1:
        yield at.finding(f"{at.name} takes one descriptor but carries {len(carried)} ({_named(carried)})")


@RULES.rule(
    "VU-FD-05",
    Severity.ERROR,
    "a message carries no more descriptors than its receiver has room for",
    "QEMU, libvhost-user (which aborts), DPDK, VPP: 8; rust-vmm: 32",
    carrying(),
)
def too_many_descriptors(at: At) -> Findings:
    receiver = Side(1 - at.event.record.sender)
    room = room_of(at.after.programs[receiver], receiver)
    carried = len(at.event.descriptors)
    if carried > room.descriptors:
        yield at.finding(f"{at.name} carries {carried} descriptors; {room.title}: room for {room.descriptors}")


@RULES.rule(
    "VU-FD-06",
    Severity.WARNING,
    "a descriptor is of the kind that the message needs, and usable for it",
    f"{SPEC}; mmap(2), fcntl(2) F_ADD_SEALS; rust-vmm refuses back-end channels that are not stream sockets",
    carrying(),
)
def kind(at: At) -> Findings:
    row = at.message.row
    if not row.known:
        return
    wanted = _taken(row, at.message.reply).kind
    for named in at.event.descriptors:
        flaw = _flaw(wanted, named.descriptor)
        if flaw and row.purpose is Purpose.SET_CALL and named.descriptor.kind is DescriptorKind.SOCKET:
            yield at.finding(
                f"{at.name}: {named.name} is a socket instead of an eventfd, as with User-Mode Linux: a back-end "
                "that writes 8 bytes into it still signals",
                severity=Severity.COMPAT,
            )
            return
        if flaw:
            yield at.finding(f"{at.name}: {named.name} {flaw}")
            return  # the others of the message are usually the same


def _flaw(wanted: FdKind, descriptor: Descriptor) -> str:
    """What is wrong with a descriptor for this use; "" if nothing, or if nothing is known about it."""
    if wanted not in _FITTING or descriptor.kind is DescriptorKind.UNKNOWN:
        return ""
    if descriptor.kind not in _FITTING[wanted]:
        return f"is of kind {descriptor.kind.label} where {wanted.value} is needed"
    if wanted is FdKind.SOCKET and descriptor.name.endswith((" dgram", " seqpacket", " raw")):
        return f"is a {descriptor.name.rsplit(' ', 1)[1]} socket"
    if wanted is FdKind.MEMORY:
        if descriptor.seals > 0 and descriptor.seals & _SEALS_AGAINST_WRITING:
            return f"is sealed against writing (seals {descriptor.seals:#x}): it cannot be mapped shared and writable"
        if descriptor.is_examined and descriptor.flags & _ACCESS_MODE == _READ_ONLY:
            return "is open read-only: it cannot be mapped shared and writable"
    return ""


@RULES.rule(
    "VU-FD-07",
    Severity.COMPAT,
    "a message that removes a memory region carries no descriptor",
    f"{SPEC}, REM_MEM_REG; QEMU before 7.1 sends one (fixed by a81d8d4a72), rust-vmm vhost up to 0.15 refuses it",
    carrying(),
)
def removal_with_descriptor(at: At) -> Findings:
    row = at.message.row
    if row.purpose is Purpose.REMOVE_MEMORY and not at.message.reply:
        yield at.finding(
            f"{at.name} carries {_named(at.event.descriptors)}, as QEMU before 7.1 does (fixed by a81d8d4a72): "
            "rust-vmm refuses it, a receiver that does not close it leaks it"
        )


@memory
class _Passed:
    """How many descriptors were passed, how many of them were surplus, and the first frames that carried those."""

    passed: int = 0
    surplus: int = 0
    frames: tuple[int, ...] = ()


@RULES.rule(
    "VU-FD-08",
    Severity.INFO,
    "no descriptor is passed that has no use",
    "QEMU c4f753859a, 5093bee0fa: leaks; a capture shows what was passed, not what was closed",
    carrying() | ending(),
    remembers=_Passed,
)
def leaks(at: At[_Passed]) -> Findings:
    memory = at.memory
    if at.over:
        if memory.surplus:
            yield at.finding(
                f"of {memory.passed} descriptors passed on this connection, {memory.surplus} were more "
                "than their messages need: a receiver that does not close them leaks as many each time",
                Blame.UNKNOWN,
                frames=memory.frames,
            )
        return
    carried = len(at.event.descriptors)
    surplus = carried - min(carried, _room_in_table(at))
    memory.passed += carried
    memory.surplus += surplus
    if surplus and len(memory.frames) < _MOST_LISTED:
        memory.frames += (at.frame,)


def _room_in_table(at: At) -> int:
    """How many of its descriptors a message needs according to the table; all of them if the message is unknown."""
    message, carried = at.message, len(at.event.descriptors)
    if not message.row.known:
        return carried
    taken = _taken(message.row, message.reply)
    if taken.per:
        count: int = at.fields.get(taken.per, carried)
        return count
    return 0 if message.layout.bare else taken.most


@RULES.rule(
    "VU-FD-09",
    Severity.ERROR,
    "descriptors come with the first byte of the header",
    f"{_ANCILLARY} (QEMU 97f24a0496)",
    irregular(),
)
def late(at: At) -> Findings:
    if at.event.record.marks & Mark.LATE_DESCRIPTORS:
        yield at.finding(
            f"{_named(at.event.descriptors) or 'the descriptors'} of {at.name} came behind the first byte of its "
            "header: a receiver that takes descriptors with the header, as most do, misses them without the proxy"
        )


@RULES.rule(
    "VU-FD-10",
    Severity.WARNING,
    "memory to be mapped is within the file of its descriptor",
    "mmap(2): an access past the end of the file raises SIGBUS; QEMU and SPDK: 'failed to mmap'",
    carrying(),
)
def beyond_file(at: At) -> Findings:
    row, carried = at.message.row, at.event.descriptors
    if at.message.layout.bare:
        return
    if row.purpose is Purpose.REPLACE_MEMORY:
        parts = [(region.get("mmap_offset", 0), region["size"]) for region in at.fields.get("regions", ())]
    elif row.purpose in _EXTENTS:
        offset, length = _EXTENTS[row.purpose]
        parts = [(at.fields[offset], at.fields[length])] if offset in at.fields else []
    else:
        return
    for number, (named, (start, size)) in enumerate(zip(carried, parts, strict=False)):
        file = named.descriptor
        is_file = file.is_examined and file.kind in (DescriptorKind.MEMFD, DescriptorKind.FILE)
        if is_file and start + size > file.size:
            which = f" region {number}" if row.purpose is Purpose.REPLACE_MEMORY else ""
            yield at.finding(
                f"{at.name}{which} needs {named.name} from {start:#x} to {start + size:#x}, "
                f"but the file ends at {file.size:#x}"
            )


@RULES.rule(
    "VU-FD-11",
    Severity.WARNING,
    "the back-end channel is bidirectional",
    f"{SPEC}, Back-end communication",
    requests(Purpose.OPEN_CHANNEL),
)
def one_way_channel(at: At) -> Findings:
    row = at.message.row
    for named in at.event.descriptors[:1]:
        if row.opens is Channel.BACKEND and named.descriptor.kind is DescriptorKind.PIPE:
            yield at.finding(
                f"{at.name} passes {named.name}, a pipe: a back-end that waits for an answer on it waits forever"
            )
