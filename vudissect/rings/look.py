"""What a ring in memory says at one moment, read without changing anything; the peers may write to it meanwhile.

Source: virtio specification, Split Virtqueues and Packed Virtqueues.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from struct import Struct
from typing import NamedTuple

from vudissect.rings.chain import DESCRIPTOR_SIZE, Buffer, DescriptorFlag
from vudissect.rings.memory import RingError
from vudissect.rings.places import WRAP

Read = Callable[[int, int], bytes]
"""Bytes at an address, of a length; `RingError` where there is no memory."""

# Between the reads of the two indices, a busy ring may go round: look again this often before it counts as a fault.
_TRIES = 3
# More descriptors of one request are not read.
_MOST_BUFFERS = 64
_WRAP = 0x10000
_NO_NOTIFICATION = 1
_PACKED_DISABLE = 1
_PACKED_FLAGS_AT = 14


class Parts(NamedTuple):
    """Where the parts of a ring are, and how they are laid out.

    `driver` is the available ring or the driver's event area, `device` the used ring or the device's event area.
    `big_endian`: a legacy ring of a big-endian guest.
    """

    size: int
    desc: int
    driver: int
    device: int
    packed: bool = False
    event_index: bool = False
    big_endian: bool = False
    in_order: bool = False


class Look(NamedTuple):
    """A ring at one moment; see `vudissect.capture.observation`.

    `pending` is more than the size of the ring if one of the indices is wrong. `call_at` is the position from which the
    driver wants to be called, None if it does not use event indices.
    """

    avail: int
    used: int | None
    pending: int
    no_kicks: bool = False
    no_calls: bool = False
    call_at: int | None = None


class Request(NamedTuple):
    """A request in a ring, and its buffers.

    Its number counts all that were made available, modulo 65536; in a packed ring it is that of its first descriptor.
    """

    number: int
    buffers: tuple[Buffer, ...]


def look(parts: Parts, read: Read) -> Look:
    """The ring now; `RingError` if it is not in memory."""
    return _look_at_packed(parts, read) if parts.packed else _look_at_split(parts, read)


def _look_at_split(parts: Parts, read: Read) -> Look:
    halves = Struct(">HH" if parts.big_endian else "<HH")
    half = Struct(">H" if parts.big_endian else "<H")
    for _ in range(_TRIES):
        # In this order, because the used index follows the available index.
        used_flags, used = halves.unpack(read(parts.device, halves.size))
        avail_flags, avail = halves.unpack(read(parts.driver, halves.size))
        ahead = (avail - used) % _WRAP
        if ahead <= parts.size:
            break
    if not parts.event_index:
        return Look(avail, used, ahead, bool(used_flags & _NO_NOTIFICATION), bool(avail_flags & _NO_NOTIFICATION))
    (call_at,) = half.unpack(read(parts.driver + halves.size + 2 * parts.size, half.size))
    (kick_at,) = half.unpack(read(parts.device + halves.size + 8 * parts.size, half.size))
    # A kick is wanted for the request at `kick_at`; the device has asked for none of those up to `avail`.
    no_kicks = bool(ahead) and (avail - kick_at - 1) % _WRAP >= ahead
    return Look(avail, used, ahead, no_kicks, call_at=call_at)


def _look_at_packed(parts: Parts, read: Read) -> Look:
    """Every lap of the driver writes the other value into the AVAIL bits, so they change at its position.

    The device hands a request back by writing one descriptor, and passes over the others of the request.
    """
    half = Struct(">H" if parts.big_endian else "<H")
    table = read(parts.desc, parts.size * DESCRIPTOR_SIZE)
    flags = [half.unpack_from(table, index * DESCRIPTOR_SIZE + _PACKED_FLAGS_AT)[0] for index in range(parts.size)]
    ids = [half.unpack_from(table, index * DESCRIPTOR_SIZE + _PACKED_FLAGS_AT - 2)[0] for index in range(parts.size)]
    turns = [bool(word & DescriptorFlag.AVAIL) for word in flags]
    head = next((index for index in range(1, parts.size) if turns[index] is not turns[0]), 0)
    wrap = turns[0] if head else not turns[0]
    pending = 0
    while pending < parts.size:
        index = (head - 1 - pending) % parts.size
        if bool(flags[index] & DescriptorFlag.USED) is turns[index]:
            break  # completed, or never written
        pending += 1
    last = (head - 1 - pending) % parts.size
    was_written = any(table[last * DESCRIPTOR_SIZE : (last + 1) * DESCRIPTOR_SIZE])
    if was_written and pending < parts.size:
        find = _rest_of_batch if parts.in_order else _rest
        pending -= find(flags, ids, last, pending)
    events = Struct(">HH" if parts.big_endian else "<HH")
    _, driver_flags = events.unpack(read(parts.driver, events.size))
    _, device_flags = events.unpack(read(parts.device, events.size))
    return Look(
        head | (WRAP if wrap else 0),
        None,
        pending,
        device_flags == _PACKED_DISABLE,
        driver_flags == _PACKED_DISABLE,
    )


def _rest(flags: Sequence[int], ids: Sequence[int], last: int, pending: int) -> int:
    """How many pending descriptors are the rest of the request whose first one was completed `last`.

    They follow it as a chain, the last of which has its id. A table is never part of a chain. A driver may use the id
    again at once, so a request that is one chain without a table may look like this, too.
    """
    for count in range(1, pending + 1):
        index = (last + count) % len(flags)
        if flags[index] & DescriptorFlag.INDIRECT:
            break
        if not flags[index] & DescriptorFlag.NEXT:
            return count if ids[index] == ids[last] else 0
    return 0


def _rest_of_batch(flags: Sequence[int], ids: Sequence[int], last: int, pending: int) -> int:
    """The same if requests are completed in order: then a device may do so for many at once, with the id of the last.

    The id of a chain is that of its last descriptor.
    """
    for count in range(1, pending + 1):
        index = (last + count) % len(flags)
        if ids[index] == ids[last] and not flags[index] & DescriptorFlag.NEXT:
            return count
    return 0


def has_moved(parts: Parts, seen: Look, read: Read) -> bool:
    """Whether the ring is no longer as seen: then a request of it may have been completed and overwritten."""
    now = look(parts, read)
    return (now.avail, now.used, now.pending) != (seen.avail, seen.used, seen.pending)


def oldest(parts: Parts, seen: Look, read: Read, read_guest: Read) -> Request | None:
    """The oldest pending request; None if there is none, or it cannot be determined.

    Devices complete in any order: it is the first one in the available ring that is not in the used ring. One that is
    older than a lap of the ring is in neither. In a packed ring a device that does so overwrites it, and the first of
    those that are still there is meant. `RingError` for a chain that leaves the table or never ends, or whose buffers
    are in the wrong order. `read_guest` reads at guest addresses, as indirect tables need it.
    """
    if not 0 < seen.pending <= parts.size:
        return None
    find = _oldest_packed if parts.packed else _oldest_split
    request = find(parts, seen, read, read_guest)
    if request is not None and any(one.writable and not two.writable for one, two in pairwise(request.buffers)):
        raise RingError("a buffer that the device may read comes after one that it may write")
    return request


def _oldest_packed(parts: Parts, seen: Look, read: Read, read_guest: Read) -> Request | None:
    entry = Struct(">QIHH" if parts.big_endian else "<QIHH")
    first = (seen.avail % WRAP - seen.pending) % parts.size
    buffers: list[Buffer] = []
    for place in range(min(seen.pending, _MOST_BUFFERS)):
        index = (first + place) % parts.size
        address, length, _, flags = entry.unpack(read(parts.desc + index * DESCRIPTOR_SIZE, DESCRIPTOR_SIZE))
        if flags & DescriptorFlag.INDIRECT:
            # A table has no chain: all of it belongs to the request.
            table = read_guest(address, min(length // DESCRIPTOR_SIZE, _MOST_BUFFERS) * DESCRIPTOR_SIZE)
            buffers += (_buffer(address, length, flags) for address, length, _, flags in entry.iter_unpack(table))
        else:
            buffers.append(_buffer(address, length, flags))
        if not flags & DescriptorFlag.NEXT:
            break
    return Request(first, tuple(buffers))


def _buffer(address: int, length: int, flags: int) -> Buffer:
    return Buffer(address, length, bool(flags & DescriptorFlag.WRITE))


def _oldest_split(parts: Parts, seen: Look, read: Read, read_guest: Read) -> Request | None:
    if seen.used is None:
        return None
    order = ">" if parts.big_endian else "<"
    avail = Struct(f"{order}{parts.size}H").unpack(read(parts.driver + 4, 2 * parts.size))
    used = [head for head, _ in Struct(f"{order}II").iter_unpack(read(parts.device + 4, 8 * parts.size))]
    window = min(parts.size, seen.avail)
    completed = Counter(used[(seen.used - 1 - back) % parts.size] for back in range(window - seen.pending))
    pending: list[int] = []
    for back in range(window, 0, -1):
        head = avail[(seen.avail - back) % parts.size]
        if completed[head]:
            completed[head] -= 1
        else:
            pending.append(back)
    if len(pending) != seen.pending:
        return None
    number = (seen.avail - pending[0]) % _WRAP
    entry = Struct(f"{order}QIHH")
    head = avail[number % parts.size]
    buffers = _chain(entry, parts.size, head, lambda index: read(parts.desc + index * DESCRIPTOR_SIZE, entry.size))
    return Request(number, _direct(entry, buffers, read_guest))


class _Entry(NamedTuple):
    buffer: Buffer
    indirect: bool


def _direct(entry: Struct, chain: list[_Entry], read_guest: Read) -> tuple[Buffer, ...]:
    """The buffers of a chain, with those of its indirect table, which comes last."""
    if not chain[-1].indirect:
        return tuple(buffer for buffer, _ in chain)
    table = chain[-1].buffer
    inner = _chain(
        entry,
        table.length // DESCRIPTOR_SIZE,
        0,
        lambda index: read_guest(table.address + index * DESCRIPTOR_SIZE, DESCRIPTOR_SIZE),
    )
    return tuple(buffer for buffer, _ in chain[:-1] + inner)


def _chain(entry: Struct, size: int, head: int, read_entry: Callable[[int], bytes]) -> list[_Entry]:
    """The first entries of a chain in a table of this size."""
    chain: list[_Entry] = []
    index = head
    while len(chain) < _MOST_BUFFERS:
        if index >= size:
            raise RingError(f"descriptor {index} of a table of {size}")
        if len(chain) >= size:
            raise RingError(f"a chain of descriptors that never ends, from {head}")
        address, length, flags, following = entry.unpack(read_entry(index))
        indirect = bool(flags & DescriptorFlag.INDIRECT)
        chain.append(_Entry(_buffer(address, length, flags), indirect))
        if indirect or not flags & DescriptorFlag.NEXT:
            break
        index = following
    return chain
