"""Descriptors in the text of a conversation: `evt#1`, `+mem#1 (memfd pc.ram 256M pages 2M seals 0x2)`."""

import os
import re

from vudissect.conversation.conversation import ConversationError
from vudissect.conversation.descriptors import eventfd, file, memfd, of_kind
from vudissect.conversation.values import number
from vudissect.host.descriptor import NOT_EXAMINED, Descriptor, DescriptorKind

_DESCRIPTOR = re.compile(r"(?<!\S)(?:fd=|\+)?(?P<prefix>[a-z]+)#(?P<name>\w+)(?: \((?P<about>[^)]{0,600})\))?")
_MEMORY = re.compile(
    r"(?:(?P<kind>memfd|file) )?(?P<name>.*?) ?(?P<size>\d+[KMGT]?|size unknown)"
    r"(?: pages (?P<pages>\w+))?(?: seals (?P<seals>-?\w+))?"
)
_KINDS = {
    "mem": DescriptorKind.MEMFD,
    "evt": DescriptorKind.EVENTFD,
    "sock": DescriptorKind.SOCKET,
    "pipe": DescriptorKind.PIPE,
    "uffd": DescriptorKind.USERFAULTFD,
    "pidfd": DescriptorKind.PIDFD,
    "dmabuf": DescriptorKind.DMABUF,
    "dev": DescriptorKind.DEVICE,
    "fd": DescriptorKind.UNKNOWN,
}
_DEFAULT_SOCKET = "stream"
_TO_READ = "to read"
_DEFAULT_MEMORY = "64M"
_UNKNOWN_SIZE = "size unknown"


class Objects:
    """The open objects of a conversation: the same word is the same object, described where it first appears."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Descriptor] = {}

    def take(self, text: str) -> tuple[str, tuple[Descriptor, ...]]:
        """The text without its descriptors, and the descriptors in order."""
        found = tuple(self._descriptor(match) for match in _DESCRIPTOR.finditer(text))
        return _DESCRIPTOR.sub(" ", text), found

    def known(self, word: str) -> Descriptor | None:
        """The object with a name such as `sock#1`; None if it has not appeared."""
        prefix, _, name = word.partition("#")
        return self._known.get((prefix, name))

    def _descriptor(self, match: re.Match[str]) -> Descriptor:
        prefix, name, about = match["prefix"], match["name"], match["about"]
        key = prefix, name
        if key not in self._known:
            self._known[key] = _new(prefix, name, about or "")
        elif about and _new(prefix, name, about) != self._known[key]:
            raise ConversationError(f"{prefix}#{name} has already been described")
        return self._known[key]


def _new(prefix: str, name: str, about: str) -> Descriptor:
    if prefix not in _KINDS:
        raise ConversationError(
            f"unknown kind of descriptor {prefix}#; use one of {', '.join(f'{each}#' for each in _KINDS)}"
        )
    kind = _KINDS[prefix]
    if kind is DescriptorKind.MEMFD:
        return _memory(name, about)
    if kind is DescriptorKind.EVENTFD:
        return eventfd(name)
    if kind is DescriptorKind.SOCKET:
        return of_kind(kind, name, f"socket:[{name}] {about or _DEFAULT_SOCKET}")
    made = of_kind(kind, name)
    return made._replace(flags=os.O_RDONLY) if kind is DescriptorKind.PIPE and about == _TO_READ else made


def _memory(name: str, about: str) -> Descriptor:
    match = _MEMORY.fullmatch(about or _DEFAULT_MEMORY)
    if match is None:
        raise ConversationError(f"describe memory as (memfd NAME SIZE), not ({about})")
    if match["size"] == _UNKNOWN_SIZE:
        made = memfd(match["name"] or name, 0, page_size=0, seals=-1)
        kind = DescriptorKind.FILE if match["kind"] == "file" else made.kind
        return made._replace(kind=kind, identity=f"{kind.label}:{name}", flags=NOT_EXAMINED)
    size, page_size = _within(0, 64, match["size"]), _within(0, 64, match["pages"] or "4K")
    if match["kind"] == "file":
        made = file(match["name"] or f"/dev/shm/{name}", size, page_size=page_size)
    else:
        seals = _within(1, 31, match["seals"] or "2")
        made = memfd(match["name"] or name, size, page_size=page_size, seals=seals)
    return made._replace(identity=f"{made.kind.label}:{name}")


def _within(sign: int, bits: int, text: str) -> int:
    """A number that fits in `bits` bits, and a sign bit if `sign` is 1."""
    value = number(text)
    if not -sign << bits <= value < 1 << bits:
        raise ConversationError(f"{text} does not fit in {bits + sign} bits")
    return value
