"""The open files of processes, followed through their system calls: which number is which file, until it is closed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from vudissect.host.descriptor import NOT_EXAMINED, Descriptor, DescriptorKind
from vudissect.sources.socket_names import inodes

_KINDS: Final = (
    ("/memfd:", DescriptorKind.MEMFD),
    ("anon_inode:[eventfd]", DescriptorKind.EVENTFD),
    ("anon_inode:[userfaultfd]", DescriptorKind.USERFAULTFD),
    ("anon_inode:[pidfd]", DescriptorKind.PIDFD),
    ("pidfd:", DescriptorKind.PIDFD),
    ("/dmabuf:", DescriptorKind.DMABUF),
    ("/dev/shm/", DescriptorKind.FILE),
    ("/dev/hugepages", DescriptorKind.FILE),
    ("/dev/", DescriptorKind.DEVICE),
    ("pipe:", DescriptorKind.PIPE),
    ("socket:", DescriptorKind.SOCKET),
    ("anon_inode:", DescriptorKind.ANON),
    # A path may also be a directory, which nobody passes.
    ("/", DescriptorKind.FILE),
)


@dataclass(eq=False, slots=True)
class File:
    """An open file. Compared by identity: two of them may be the same one if it was `received`.

    `inode` is that of a socket or pipe, `peer` that of the socket's other end; 0 if unknown. `pair` is the other end of
    a socket pair.
    """

    label: str
    """Distinguishes it from all others."""
    kind: DescriptorKind = DescriptorKind.UNKNOWN
    name: str = ""
    inode: int = 0
    peer: int = 0
    received: bool = False
    pair: "File | None" = None
    uses: int = 1
    is_new: bool = False
    """Whether the log has its beginning."""
    facts: Descriptor | None = None
    """What is known from elsewhere."""

    def describe(self, about: str) -> None:
        """Add what strace prints about it."""
        own, peer = inodes(about)
        if own:
            self.kind, self.inode, self.peer = DescriptorKind.SOCKET, own, peer or self.peer
            # As the kernel names it, and the type, as the recorder does.
            is_stream = about.startswith(("UNIX-STREAM:", "UNIX:"))
            self.name = f"socket:[{own}]{' stream' if is_stream else ''}"
            return
        self.name = about
        self.kind = next((kind for start, kind in _KINDS if about.startswith(start)), self.kind)
        if self.kind is DescriptorKind.PIPE:
            self.inode = int("".join(filter(str.isdecimal, about)) or 0)

    def fits(self, about: str) -> bool:
        """Whether what strace prints can be about this file."""
        own, _ = inodes(about)
        if own or self.inode:
            return own == self.inode or (not own and self.kind is DescriptorKind.PIPE and about == self.name)
        return not self.name or not about or about == self.name or self.kind is DescriptorKind.SOCKET

    def descriptor(self, tracked: bool) -> Descriptor:
        """As in a capture. `tracked`: the log has the calls that end descriptors, so numbers identify files."""
        if self.facts is not None:
            return self.facts
        if self.inode:
            identity = f"{self.kind.label}:{self.inode}"
        else:
            identity = self.label if tracked and not self.received else ""
        return Descriptor(self.kind, identity, flags=NOT_EXAMINED, name=self.name)


@dataclass(slots=True)
class Process:
    """The descriptors of one or more threads that share them."""

    id: int
    files: dict[int, File] = field(default_factory=dict)
    threads: set[int] = field(default_factory=set)
    executable: str = ""
    about: str = ""
    """What it had open when its tracing began."""
    details: dict[str, str | int] = field(default_factory=dict)
    """What is known from elsewhere."""

    def set(self, number: int, file: File) -> Iterator[File]:
        """A number refers to this file from now on; returns a file whose last descriptor this was."""
        yield from self.close(number)
        self.files[number] = file

    def close(self, number: int) -> Iterator[File]:
        """A descriptor is closed; returns its file if it was the last one."""
        file = self.files.pop(number, None)
        if file is not None:
            file.uses -= 1
            if not file.uses:
                yield file

    def end(self) -> Iterator[File]:
        """The process has ended; returns the files that end with it."""
        for number in tuple(self.files):
            yield from self.close(number)


class Files:
    """Makes the files of a log; the label of each begins with that of the log."""

    def __init__(self, label: str = "") -> None:
        self._label = label
        self._numbers = count(1)

    def new(self, about: str = "", *, received: bool = False, is_new: bool = False) -> File:
        """A file that appears."""
        file = File(f"file:{self._label}{next(self._numbers)}", received=received, is_new=is_new)
        if about:
            file.describe(about)
        return file
