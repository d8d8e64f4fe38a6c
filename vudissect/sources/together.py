"""Several logs as one: which ends belong together, and in which order it all happened."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import merge
from operator import attrgetter
from typing import Final

from vudissect.protocol.model import Channel, Side
from vudissect.sources.ends import End, Item, Passed
from vudissect.sources.merge import are_joined, is_same
from vudissect.sources.strace import Clock

# So many messages at the beginning decide whether two ends are of the same connection.
_MOST_COMPARED: Final = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """What a log shows: the items in their order, and what their times count from."""

    items: Sequence[Item]
    clock: Clock


def have_threads_apart(parts: Sequence[Part]) -> bool:
    """Whether threads of one process have logs of their own: they use the same socket."""
    seen: set[tuple[int, Side]] = set()
    for part in parts:
        here = {(item.end.socket.inode, item.end.side) for item in part.items if item.end.socket.inode}
        if here & seen:
            return True
        seen |= here
    return False


def joined(parts: Sequence[Part]) -> dict[End, End]:
    """The ends of the main channel of different logs that are of one connection, both ways, by what they carry."""
    streams: defaultdict[End, tuple[list[Passed], list[Passed]]] = defaultdict(lambda: ([], []))
    of_part: list[list[End]] = []
    for part in parts:
        here: dict[End, None] = {}
        for item in part.items:
            if isinstance(item, Passed) and item.end.channel is Channel.MAIN:
                here[item.end] = None
                sides = streams[item.end]
                if len(sides[item.is_sent]) < _MOST_COMPARED:
                    sides[item.is_sent].append(item)
        of_part.append([*here])
    found: dict[End, End] = {}
    for place, ends in enumerate(of_part):
        others = [end for later in of_part[place + 1 :] for end in later]
        for end in ends:
            candidates = [other for other in others if other.side is Side(1 - end.side) and other not in found]
            best = max(candidates, key=lambda other: _likeness(end, other, streams), default=None)
            if best is not None and end not in found and _likeness(end, best, streams):
                found[end], found[best] = best, end
    return found


def _likeness(one: End, other: End, streams: Mapping[End, tuple[Sequence[Passed], Sequence[Passed]]]) -> int:
    """How many messages at the beginning of both are equal; 0 if any is not."""
    if are_joined(one, other):
        return _MOST_COMPARED * 3
    equal = 0
    for is_sent in (False, True):
        pairs = [*zip(streams[one][is_sent], streams[other][not is_sent], strict=False)]
        if not all(is_same(first, second) for first, second in pairs):
            return 0
        equal += len(pairs)
    return equal


def in_order(parts: Sequence[Part], twins: Mapping[End, End]) -> Iterator[Item]:
    """All items, in the order in which they happened.

    That is the order of their times if all logs have the same clock. Otherwise it is that of the messages: nothing is
    received before it was sent; the times are those of the first log.
    """
    clocks = {part.clock for part in parts}
    if len(parts) == 1 or (len(clocks) == 1 and clocks <= {Clock.EPOCH, Clock.DAY}):
        return merge(*(part.items for part in parts), key=attrgetter("time"))
    return _by_messages(parts, twins)


def _by_messages(parts: Sequence[Part], twins: Mapping[End, End]) -> Iterator[Item]:
    # How many messages an end has sent and its twin has received so far; a twin in no log sends what is wanted.
    sent: defaultdict[tuple[End, Channel], int] = defaultdict(int)
    received: defaultdict[tuple[End, Channel], int] = defaultdict(int)
    places = [0] * len(parts)
    time = 0
    while True:
        left = [number for number, part in enumerate(parts) if places[number] < len(part.items)]
        if not left:
            return
        heads = [parts[number].items[places[number]] for number in left]
        ready = [_is_ready(item, twins, sent, received) for item in heads]
        # If all wait for each other, the logs contradict each other, or begin at different times.
        chosen = ready.index(True) if True in ready else 0
        item, number = heads[chosen], left[chosen]
        places[number] += 1
        main = item.end.opened_by or item.end
        if isinstance(item, Passed):
            (sent if item.is_sent else received)[main, item.end.channel] += 1
        time = max(time, item.time) if not number else time
        yield _at(item, time)


def _is_ready(
    item: Item,
    twins: Mapping[End, End],
    sent: Mapping[tuple[End, Channel], int],
    received: Mapping[tuple[End, Channel], int],
) -> bool:
    main = item.end.opened_by or item.end
    twin = twins.get(main)
    if not isinstance(item, Passed) or item.is_sent or twin is None:
        return True
    channel = item.end.channel
    return received.get((main, channel), 0) < sent.get((twin, channel), 0)


def _at(item: Item, time: int) -> Item:
    if isinstance(item, Passed):
        return replace(item, message=replace(item.message, time=time))
    return replace(item, time=time)
