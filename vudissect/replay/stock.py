"""The descriptors of a replay: one for each object of the recording, however often it was passed."""

import os
import select
from contextlib import suppress
from fcntl import F_GETFL, fcntl
from threading import Event, Thread

from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.host.inspect import inspect
from vudissect.host.make import make

_DRAIN = 1 << 16
_LOOK_UP_EVERY = 100  # ms


class Stock:
    """Makes what is to be passed, and keeps what comes, by the identity that it has in the recording."""

    def __init__(self) -> None:
        self.remarks: dict[str, None] = {}
        self._by_identity: dict[str, int] = {}
        self._nameless: list[int] = []
        self._ends: dict[int, int] = {}
        self._drains: list[Thread] = []
        self._closing = Event()

    def give(self, described: Descriptor) -> int:
        """The descriptor that stands for this one of the recording; made when it is first needed (`OSError`)."""
        known = self._by_identity.get(described.identity) if described.identity else None
        if known is not None:
            return known
        made = make(described)
        if made.remark:
            self.remarks[made.remark] = None
        self._hold(described, made.fd)
        if made.other is not None:
            if described.kind is DescriptorKind.PIPE:
                self._use_pipe(made.other)
            else:
                self._ends[made.fd] = made.other
        return made.fd

    def keep(self, described: Descriptor | None, fd: int) -> None:
        """A descriptor has come, for this one of the recording (None: for none of them)."""
        if described is not None and described.kind is DescriptorKind.PIPE and inspect(fd).kind is DescriptorKind.PIPE:
            self._use_pipe(os.dup(fd))
        self._hold(described, fd)

    def take_other_end(self, fd: int) -> int | None:
        """The end that stays here of a socket pair that was made, once; the caller owns it."""
        return self._ends.pop(fd, None)

    def close(self) -> None:
        """Close all that is here."""
        self._closing.set()
        for drain in self._drains:
            drain.join()
        for fd in (*self._by_identity.values(), *self._nameless, *self._ends.values()):
            os.close(fd)

    def _hold(self, described: Descriptor | None, fd: int) -> None:
        if described is None or not described.identity:
            self._nameless.append(fd)
            return
        before = self._by_identity.get(described.identity)
        if before is not None:
            os.close(before)
        self._by_identity[described.identity] = fd

    def _use_pipe(self, end: int) -> None:
        """A pipe carries the state of a device, which no recording has: read what comes, and have nothing to write."""
        if fcntl(end, F_GETFL) & os.O_ACCMODE == os.O_WRONLY:
            os.close(end)
            return
        self._drains.append(Thread(target=self._drain, args=(end,), daemon=True))
        self._drains[-1].start()

    def _drain(self, end: int) -> None:
        poll = select.poll()
        poll.register(end, select.POLLIN)
        with suppress(OSError):  # a descriptor may be good for nothing but being passed
            while not self._closing.is_set():
                if poll.poll(_LOOK_UP_EVERY) and not os.read(end, _DRAIN):
                    break
        os.close(end)
