"""The descriptors of a replay: one for each object in the recording, however often it was passed."""

import os
import select
import stat
from contextlib import suppress
from fcntl import F_GETFL, fcntl
from threading import Event, Thread

from vudissect.host.background import in_background
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.host.make import make

_DRAIN = 1 << 16
_LOOK_UP_EVERY = 100  # ms


class DescriptorPool:
    """Creates the descriptors to pass and keeps those received, by their identity in the recording."""

    def __init__(self) -> None:
        self.remarks: dict[str, None] = {}
        self._by_identity: dict[str, int] = {}
        self._made: set[int] = set()
        self._nameless: list[int] = []
        self._ends: dict[int, int] = {}
        self._drains: list[Thread] = []
        self._closing = Event()

    def get(self, described: Descriptor) -> int:
        """The descriptor for a recorded one; created when first needed (`OSError`)."""
        known = self._by_identity.get(described.identity) if described.identity else None
        if known is not None:
            return known
        made = make(described)
        if made.remark:
            self.remarks[made.remark] = None
        self._hold(described, made.fd, made=True)
        if made.other is not None:
            if described.kind is DescriptorKind.PIPE:
                self._use_pipe(made.other)
            else:
                self._ends[made.fd] = made.other
        return made.fd

    def received(self, described: Descriptor, fd: int) -> None:
        """Keep a received descriptor for a recorded one."""
        self._hold(described, fd)
        end = _to_be_read(fd) if described.kind is DescriptorKind.PIPE else None
        if end is not None:
            self._use_pipe(end)

    def take_other_end(self, fd: int) -> int | None:
        """The local end of a socket pair that was created, once; the caller owns it."""
        return self._ends.pop(fd, None)

    def close(self) -> None:
        """Close all descriptors."""
        self._closing.set()
        for drain in self._drains:
            drain.join()
        for fd in (*self._by_identity.values(), *self._nameless, *self._ends.values()):
            os.close(fd)

    def _hold(self, described: Descriptor, fd: int, *, made: bool = False) -> None:
        if made:
            self._made.add(fd)
        if not described.identity:
            self._nameless.append(fd)
            return
        before = self._by_identity.get(described.identity)
        if before in self._made:
            self._nameless.append(before)  # it may be in use
        elif before is not None:
            os.close(before)
        self._by_identity[described.identity] = fd

    def _use_pipe(self, end: int) -> None:
        """A pipe carries the state of a device, which no recording has: discard what comes, and write nothing."""
        if fcntl(end, F_GETFL) & os.O_ACCMODE == os.O_WRONLY:
            os.close(end)
            return
        os.set_blocking(end, False)
        self._drains.append(in_background(self._drain, end))

    def _drain(self, end: int) -> None:
        poll = select.poll()
        poll.register(end, select.POLLIN)
        with suppress(OSError):  # the other side reset it
            while not self._closing.is_set():
                if poll.poll(_LOOK_UP_EVERY) and not _read(end):
                    break
        os.close(end)


def _to_be_read(fd: int) -> int | None:
    """A second descriptor for reading a received pipe, with its own flags: those of the original belong to the peer.

    None if nobody waits for it to be read, as with a file or an endless device.
    """
    flags = fcntl(fd, F_GETFL)
    if flags & (os.O_ACCMODE | os.O_PATH) == os.O_RDONLY and stat.S_ISFIFO(os.fstat(fd).st_mode):
        with suppress(OSError):
            return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    return None


def _read(end: int) -> bool:
    """Read and discard what is available; return whether there may be more."""
    try:
        return bool(os.read(end, _DRAIN))
    except BlockingIOError:  # somebody else was faster
        return True
