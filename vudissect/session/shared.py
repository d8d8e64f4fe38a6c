"""What a back-end shares over its channel: objects, identified by UUID, and mappings into shared memory regions."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from vudissect.session.extents import Extents

# A hostile peer could share objects without end.
_MOST_SHARED = 1024
_NONE: Mapping[Any, Any] = MappingProxyType({})


class SharedObjects(NamedTuple):
    """The shared objects of a connection; immutable.

    Some front-ends answer success with what is a failure for others: objects with a failure as answer may exist or not.
    """

    added: Mapping[str, int] = _NONE
    """The UUIDs that were added, with the frames of the requests."""
    doubtful: frozenset[str] = frozenset()
    """The UUIDs of requests that were answered with a failure."""
    asked: Mapping[int, str] = _NONE
    """The UUIDs of pending requests, by frame."""

    @property
    def complete(self) -> bool:
        """Whether everything that was shared is here; there is a limit."""
        return max(len(self.added), len(self.doubtful)) < _MOST_SHARED

    def plus(self, uuid: str, frame: int) -> "SharedObjects":
        """A copy with one more."""
        if uuid in self.added or len(self.added) >= _MOST_SHARED:
            return self
        return self._replace(added=MappingProxyType({**self.added, uuid: frame}))

    def minus(self, uuid: str) -> "SharedObjects":
        """A copy without one of them."""
        return self._replace(added=_without(self.added, uuid)) if uuid in self.added else self

    def awaiting(self, frame: int, uuid: str) -> "SharedObjects":
        """A copy with a request that will be answered."""
        if len(self.asked) >= _MOST_SHARED:
            return self
        return self._replace(asked=MappingProxyType({**self.asked, frame: uuid}))

    def answered(self, frame: int, *, failed: bool) -> "SharedObjects":
        """A copy after the answer to the request in a frame."""
        if frame not in self.asked:
            return self
        uuid, objects = self.asked[frame], self._replace(asked=_without(self.asked, frame))
        if not failed or len(self.doubtful) >= _MOST_SHARED:
            return objects
        return objects.minus(uuid)._replace(doubtful=self.doubtful | {uuid})


class SharedMapping(NamedTuple):
    """A mapping into a shared memory region: its range, what is mapped there, and the frame of the request."""

    region: int
    start: int
    size: int
    descriptor: str
    offset: int
    frame: int

    @property
    def end(self) -> int:
        """The offset at which it ends."""
        return self.start + self.size


def _start(mapping: SharedMapping) -> int:
    return mapping.start


@dataclass(frozen=True, slots=True)
class SharedMappings:
    """The mappings of a connection; immutable."""

    by_frame: Mapping[int, SharedMapping] = field(default_factory=lambda: MappingProxyType({}))
    """In the order of arrival, by the frames of the requests."""
    by_region: Mapping[int, Extents[SharedMapping]] = field(
        default_factory=lambda: MappingProxyType({}), compare=False, repr=False
    )
    """The mappings of a region, in order of their offsets."""
    complete: bool = True
    """Whether there are no others: none was left out, and none can have survived a reset."""

    def plus(self, mapping: SharedMapping) -> "SharedMappings":
        """A copy with one more."""
        if len(self.by_frame) >= _MOST_SHARED:
            return replace(self, complete=False)
        extents = self.by_region.get(mapping.region, Extents(_start)).plus(mapping)
        return replace(
            self,
            by_frame=MappingProxyType({**self.by_frame, mapping.frame: mapping}),
            by_region=MappingProxyType({**self.by_region, mapping.region: extents}),
        )

    def minus(self, mapping: SharedMapping) -> "SharedMappings":
        """A copy without one of them."""
        extents = self.by_region[mapping.region].minus(mapping)
        others = _without(self.by_region, mapping.region)
        return replace(
            self,
            by_frame=_without(self.by_frame, mapping.frame),
            by_region=MappingProxyType({**others, mapping.region: extents}) if extents else others,
        )

    def with_range(self, region: int, start: int, size: int) -> list[SharedMapping]:
        """Those with exactly this range."""
        extents = self.by_region.get(region)
        if extents is None:
            return []
        return [mapping for mapping in extents.from_start(start) if mapping.size == size]

    def overlapping(self, region: int, start: int, size: int) -> SharedMapping | None:
        """The oldest one that overlaps a range."""
        extents = self.by_region.get(region)
        shared = extents.within(start, start + size) if extents is not None else ()
        return min(shared, key=lambda mapping: mapping.frame, default=None)


Key = TypeVar("Key")
Value = TypeVar("Value")


def _without(mapping: Mapping[Key, Value], gone: Key) -> Mapping[Key, Value]:
    return MappingProxyType({key: value for key, value in mapping.items() if key != gone})


NO_OBJECTS = SharedObjects()
NO_MAPPINGS = SharedMappings()
# After a reset: it is not specified whether mappings survive it.
UNKNOWN_MAPPINGS = SharedMappings(complete=False)
