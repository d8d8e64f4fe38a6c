"""Actions on the descriptors of a message."""

from collections.abc import Callable
from dataclasses import replace

from vudissect.faults.action import ACTIONS, Action, Words
from vudissect.faults.errors import ImpossibleError
from vudissect.faults.plan import Plan, Target
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.proxy.faulting import Fresh, Passing

_KINDS = {
    "memfd": DescriptorKind.MEMFD,
    "eventfd": DescriptorKind.EVENTFD,
    "socket": DescriptorKind.SOCKET,
    "pipe": DescriptorKind.PIPE,
    "file": DescriptorKind.FILE,
}
_MEMORY = frozenset({DescriptorKind.MEMFD, DescriptorKind.FILE})
_DYING = _MEMORY | {DescriptorKind.SOCKET, DescriptorKind.PIPE}
_SIZE = 1 << 20


@ACTIONS.action(
    "withhold-fd",
    "[N]",
    "pass it on without its descriptors, or without the one at this place (from 0)",
    "12, 43, 50: a region without memory, a ring without a call descriptor",
)
def withhold(words: Words) -> Action:
    """Fewer descriptors."""
    place = words.number("the place of a descriptor") if words.more else None

    def apply(plan: Plan, _: Target) -> Plan:
        passing = _present(plan, place or 0)
        kept = () if place is None else passing[:place] + passing[place + 1 :]
        return plan.with_message(replace(plan.message, passing=kept))

    return apply


@ACTIONS.action(
    "add-fd",
    "[KIND]",
    "also pass a new descriptor (eventfd; or memfd, file, socket, pipe)",
    "12, 37: a receiver that does not expect one, and keeps it open or aborts",
)
def add(words: Words) -> Action:
    """More descriptors."""
    kind = _kind(words) or DescriptorKind.EVENTFD
    fresh = Fresh(kind, _SIZE)
    return lambda plan, _: plan.with_message(replace(plan.message, passing=(*plan.message.passing, fresh)))


@ACTIONS.action(
    "replace-fd",
    "[N] [KIND]",
    "pass a new descriptor in the place of one, of the same kind or of another",
    "6, 22, 29, 62: an eventfd that nobody watches, memory that is not the guest's",
)
def replace_descriptor(words: Words) -> Action:
    """Another object."""
    return _replacing(words, lambda old, kind: Fresh(kind or old.kind, old.size), has_kind=True)


@ACTIONS.action(
    "close-fd",
    "[N]",
    "pass a socket or pipe whose other end is closed, or memory of no size, in the place of a descriptor",
    "22, 33: a channel that is dead from the start, memory that cannot be read (SIGBUS)",
)
def close(words: Words) -> Action:
    """A dead descriptor."""

    def dead(old: Descriptor, _: DescriptorKind | None) -> Fresh:
        if old.kind not in _DYING:
            raise ImpossibleError(f"{old.kind.label} has no other end and no size: use replace-fd")
        return Fresh(old.kind, hung_up=True)

    return _replacing(words, dead, has_kind=False)


@ACTIONS.action(
    "swap-fds",
    "",
    "pass an eventfd in the place of memory, and memory in the place of anything else",
    "receivers that do not look at what they are given",
)
def swap(_: Words) -> Action:
    """Descriptors of other kinds."""

    def apply(plan: Plan, target: Target) -> Plan:
        passing = tuple(_swapped(each, target) for each in _present(plan, 0))
        return plan.with_message(replace(plan.message, passing=passing))

    return apply


def _swapped(passing: Passing, target: Target) -> Fresh:
    kind = passing.kind if isinstance(passing, Fresh) else target.offer.descriptors[passing].kind
    return Fresh(DescriptorKind.EVENTFD) if kind in _MEMORY else Fresh(DescriptorKind.MEMFD, _SIZE)


def _replacing(words: Words, fresh: Callable[[Descriptor, DescriptorKind | None], Fresh], *, has_kind: bool) -> Action:
    place = words.number("the place of a descriptor") if words.has_number else 0
    kind = _kind(words) if has_kind else None

    def apply(plan: Plan, target: Target) -> Plan:
        passing = _present(plan, place)
        old = passing[place]
        if isinstance(old, Fresh):
            raise ImpossibleError("an action before it has replaced this descriptor")
        new = fresh(target.offer.descriptors[old], kind)
        return plan.with_message(replace(plan.message, passing=(*passing[:place], new, *passing[place + 1 :])))

    return apply


def _present(plan: Plan, place: int) -> tuple[Passing, ...]:
    """What is passed; `ImpossibleError` if there is nothing at a place."""
    passing = plan.message.passing
    if place >= len(passing):
        raise ImpossibleError(f"it carries {len(passing)} descriptors" if passing else "it carries no descriptors")
    return passing


def _kind(words: Words) -> DescriptorKind | None:
    return _KINDS[words.choice("kind", dict(_KINDS)).text.lower()] if words.more else None
