"""VU-MEM: the memory map.

`ring_addresses` checks whether rings are in it, `descriptors` whether a region fits into its file.
"""

from collections.abc import Callable
from functools import partial
from itertools import takewhile, zip_longest

from vudissect.capture.record import Mark
from vudissect.lint.at import At
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.memory import LastFrame, memory
from vudissect.lint.rule import SPEC, Findings, RuleBook, messages, replies, requests
from vudissect.lint.words import count_text
from vudissect.protocol.features import XEN_MMAP_FLAGS
from vudissect.protocol.model import Layout, Row
from vudissect.protocol.purpose import Purpose
from vudissect.session.extents import Extents
from vudissect.session.memory import Region
from vudissect.session.state import Postcopy

RULES = RuleBook()

_REGIONS = f"{SPEC}, Memory region description"

_gives_regions = partial(requests, Purpose.REPLACE_MEMORY, Purpose.ADD_MEMORY)
_changed = partial(requests, Purpose.REPLACE_MEMORY, Purpose.ADD_MEMORY, Purpose.REMOVE_MEMORY)

# For files of unknown page size.
_SMALL_PAGE = 4096
# Processes have 47 or 48 bits of address space on x86-64 and Arm, and never map the lowest pages.
_HOST_ADDRESSES = range(1 << 16, 1 << 48)


def _regions_in(at: At) -> list[Region]:
    """The regions that this message added."""
    memory = at.after.memory
    if memory.changed_in != at.frame:
        return []
    # The regions of this message are the last ones.
    own = list(takewhile(lambda region: region.frame == at.frame, reversed(memory.regions)))
    return own[::-1]


def _ends_postcopy_exchange(at: At) -> bool:
    return at.after.postcopy is Postcopy.LISTENING and at.fields.get("nregions") == 0


def _overlapping(at: At, what: str, start: Callable[[Region], int], extents: Extents[Region]) -> Findings:
    """The first two regions that overlap, at least one of them added by this message."""
    pair = extents.overlap(_regions_in(at))
    if pair is not None:
        lower, upper = pair
        texts = (f"region {each.number} ({start(each):#x} to {start(each) + each.size:#x})" for each in pair)
        frames = tuple(sorted({lower.frame, upper.frame} - {at.frame}))
        yield at.finding(f"{' and '.join(texts)} overlap in {what}", frames=frames)


@RULES.rule(
    "VU-MEM-01",
    Severity.ERROR,
    "a memory table has at least one region, and no more than receivers have room for",
    f"{SPEC}, Multiple memory regions; QEMU: 'Failed initializing vhost-user memory map' without any",
    requests(Purpose.REPLACE_MEMORY),
)
def number_of_regions(at: At) -> Findings:
    number, row = at.fields.get("nregions"), at.message.row
    if number is None or _ends_postcopy_exchange(at):
        return
    if number == 0:
        yield at.finding(f"{at.name} has no regions: guest memory must be shareable (memfd, or a file with share=on)")
    elif number > row.fds.most:
        yield at.finding(f"{at.name} has {number} regions, but receivers have room for {row.fds.most} in one table")


@RULES.rule(
    "VU-MEM-02",
    Severity.ERROR,
    "regions do not overlap in guest memory",
    f"{_REGIONS}; libvhost-user panics, DPDK refuses the table",
    _gives_regions(),
)
def guest_overlap(at: At) -> Findings:
    yield from _overlapping(at, "guest memory", lambda region: region.guest_addr, at.after.memory.by_guest)


@RULES.rule(
    "VU-MEM-03",
    Severity.ERROR,
    "regions do not overlap in the front-end's address space, where ring addresses are",
    _REGIONS,
    _gives_regions(),
)
def user_overlap(at: At) -> Findings:
    if not at.after.uses_guest_addresses:
        what = "user addresses: a ring address in both is ambiguous"
        yield from _overlapping(at, what, lambda region: region.user_addr, at.after.memory.by_user)


@RULES.rule(
    "VU-MEM-04",
    Severity.WARNING,
    "a region is not empty, and begins and ends on a page boundary of its file",
    "mmap(2); SPDK: 'Guest memory size is not a 2MB multiple'; DPDK maps whole pages",
    _gives_regions(),
)
def whole_pages(at: At) -> Findings:
    for region, named in zip_longest(_regions_in(at), at.event.descriptors):
        if region is None:
            return
        page = (named.descriptor.page_size if named is not None else 0) or _SMALL_PAGE
        extents = {"guest address": region.guest_addr, "size": region.size, "user address": region.user_addr}
        odd = [f"{what} {value:#x}" for what, value in extents.items() if value % page]
        if region.size == 0:
            yield at.finding(f"region {region.number} at guest address {region.guest_addr:#x} is empty")
        elif odd:
            of_file = f" of {named.name}" if named is not None else ""
            yield at.finding(
                f"region {region.number}: {' and '.join(odd)} {'is' if len(odd) == 1 else 'are'} not a multiple of the "
                f"page size{of_file}, {page:#x}; back-ends that map whole pages cannot map it"
            )


@RULES.rule(
    "VU-MEM-06",
    Severity.ERROR,
    "no more regions are added than the back-end has slots for",
    f"{SPEC}, GET_MAX_MEM_SLOTS",
    requests(Purpose.ADD_MEMORY) | replies(Purpose.COUNT_MEMORY_SLOTS),
    remembers=LastFrame,
)
def slots(at: At[LastFrame]) -> Findings:
    if at.message.reply:
        at.memory.frame = at.frame
        return
    number, most = len(at.after.memory.regions), at.after.memory_slots
    if most is not None and number > most and _regions_in(at):
        frames = (at.memory.frame,) if at.memory.frame else ()
        yield at.finding(
            f"{at.name} brings the number of regions to {number}, but the back-end has room for {most}", frames=frames
        )


@RULES.rule(
    "VU-MEM-07",
    Severity.ERROR,
    "a region is removed with the addresses and size that it was added with",
    f"{SPEC}, REM_MEM_REG",
    requests(Purpose.REMOVE_MEMORY),
)
def removed_region(at: At) -> Findings:
    memory = at.after.memory
    if not at.fields or not at.after.knows_memory:
        return
    if memory.changed_in != at.frame:
        asked = {name: at.fields[name] for name in ("guest_addr", "size", "user_addr")}
        like = next(memory.by_guest.from_start(asked["guest_addr"]), None)
        known = "there is no region at this guest address"
        if like is not None:
            has = {"size": like.size, "user_addr": like.user_addr}
            differs = (f"{name} {value:#x}" for name, value in has.items() if value != asked[name])
            known = f"region {like.number} there has {' and '.join(differs)}"
        yield at.finding(
            f"{at.name} of guest_addr {asked['guest_addr']:#x}, size {asked['size']:#x}, user_addr "
            f"{asked['user_addr']:#x} removes nothing: {known}",
            frames=(like.frame,) if like is not None else (),
        )


@RULES.rule(
    "VU-MEM-08",
    Severity.INFO,
    "regions are added and removed one by one, or sent as a whole table",
    f"{SPEC}: SET_MEM_TABLE replaces the regions of ADD_MEM_REG",
    _changed(),
    remembers=LastFrame,
)
def table_after_regions(at: At[LastFrame]) -> Findings:
    row = at.message.row
    if not at.fields:
        return
    if row.purpose is not Purpose.REPLACE_MEMORY:
        at.memory.frame = at.memory.frame or at.frame
    elif not _ends_postcopy_exchange(at) and at.memory.frame:
        since = at.memory.frame
        at.restart()
        yield at.finding(
            f"{at.name} replaces the regions that were sent one by one since #{since}",
            Blame.UNKNOWN,
            frames=(since,),
        )


@memory
class _Slots:
    """The number of memory slots last announced, and its frame; 0 for none."""

    number: int = 0
    frame: int = 0


@RULES.rule(
    "VU-MEM-09",
    Severity.INFO,
    "the number of memory slots does not shrink after a reconnection",
    "QEMU hw/virtio/vhost-user.c: 'This limit should never decrease'",
    replies(Purpose.COUNT_MEMORY_SLOTS),
)
def fewer_slots(at: At) -> Findings:
    number = at.fields.get("slots")
    if number is None:
        return
    slots = at.lasting(_Slots)
    before, frame = slots.number, slots.frame
    slots.number, slots.frame = number, at.frame
    if number < before:
        yield at.finding(
            f"the back-end has {count_text(number, 'memory slot')}, but had {before} in #{frame}", frames=(frame,)
        )


@RULES.rule(
    "VU-MEM-10",
    Severity.ERROR,
    "a memory table has the right size for its number of regions, in the negotiated form",
    f"{SPEC}, Multiple memory regions description",
    requests(Purpose.REPLACE_MEMORY),
)
def table_size(at: At) -> Findings:
    message = at.message
    record = at.event.record
    if not message.fits and not record.marks & Mark.CUT_SHORT and not record.is_cut:
        carried = len(at.event.descriptors)
        yield at.finding(f"{at.name} with {carried} descriptors: {message.problem}")
    elif _is_xen(message.layout) and at.after.lacks("XEN_MMAP"):
        yield at.finding(f"{at.name} has Xen regions ({message.size} bytes), but XEN_MMAP is not negotiated")


@RULES.rule(
    "VU-MEM-11",
    Severity.ERROR,
    "a region is added and removed in the specified form",
    f"{SPEC}, Single memory region description; QEMU 3009edff81",
    requests(Purpose.ADD_MEMORY, Purpose.REMOVE_MEMORY),
)
def region_form(at: At) -> Findings:
    layout, row = at.message.layout, at.message.row
    if not at.message.fits:
        return
    specified = row.request[0].size
    if layout.deviation:
        yield at.finding(f"{at.name} has {at.message.size} payload bytes instead of {specified}: {layout.deviation}")
    elif layout.bare and at.after.whole and at.after.postcopy is not Postcopy.LISTENING:
        yield at.finding(
            f"{at.name} has {at.message.size} payload bytes instead of {specified}: this form ends the exchange of "
            f"addresses in postcopy, but postcopy is {at.after.postcopy.value}"
        )


@RULES.rule(
    "VU-MEM-12",
    Severity.INFO,
    "user addresses are valid addresses of a process",
    "OpenVMM sends guest addresses plus 2^52; a back-end must not use them as pointers",
    _gives_regions(),
)
def host_pointers(at: At) -> Findings:
    if at.after.uses_guest_addresses:
        return
    for region in _regions_in(at):
        if region.user_addr not in _HOST_ADDRESSES and at.first():
            yield at.finding(
                f"region {region.number} has the user address {region.user_addr:#x}, which no process can have: it can "
                "only serve to look up regions",
                Blame.UNKNOWN,
            )


@RULES.rule(
    "VU-MEM-13",
    Severity.WARNING,
    "no byte of a file is mapped as guest memory twice",
    f"{_REGIONS}; the guest sees its writes at two addresses",
    _gives_regions(),
)
def aliases(at: At) -> Findings:
    if at.after.has("XEN_MMAP"):
        return  # there the file is a device, and the offset is not a position in it
    for name in sorted({region.descriptor for region in _regions_in(at)} - {""}):
        of_file = at.after.memory.in_file(name)
        yield from _overlapping(at, f"the file {name}", lambda region: region.mmap_offset, of_file)


def _is_xen(layout: Layout) -> bool:
    fields = layout.array.entry.fields if layout.array is not None else layout.fields
    return any(field.bits is XEN_MMAP_FLAGS for field in fields)


def _holds_regions(row: Row, reply: bool) -> bool:
    return not reply and any(_is_xen(layout) for layout in row.request)


@RULES.rule(
    "VU-MEM-14",
    Severity.ERROR,
    "with XEN_MMAP every region has the mapping flags and domain of Xen",
    f"{_REGIONS}; QEMU acknowledges XEN_MMAP without implementing it",
    messages(_holds_regions),
)
def xen_fields(at: At) -> Findings:
    state, layout = at.after, at.message.layout
    if not state.has("XEN_MMAP"):
        return
    if not at.message.fits or layout.bare or _is_xen(layout) or at.fields.get("nregions") == 0:
        return
    if at.first():
        yield at.finding(
            f"{at.name} has regions without the mapping flags and domain of Xen ({at.message.size} bytes), although "
            "XEN_MMAP is acknowledged: a back-end that expects the longer form misreads them"
        )
