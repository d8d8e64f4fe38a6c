"""Limits that the kernel puts on this process."""

import os
from contextlib import suppress

with suppress(ModuleNotFoundError):
    # Systems that only read captures may lack it. Imported here because loading a module needs a free descriptor.
    import resource

# Enough open descriptors for anything to start, including those that may have been inherited.
_ENOUGH = 256


class LimitError(RuntimeError):
    """A limit that is too low to start; the message names it and the remedy."""


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open descriptors to the hard one, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def descriptor_limit() -> int:
    """How many descriptors this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft


def lowest_free_descriptor() -> int:
    """The number that the kernel assigns to the next descriptor; the limit itself if none is free."""
    try:
        fd = os.eventfd(0, os.EFD_CLOEXEC)
    except OSError:
        return descriptor_limit()
    os.close(fd)
    return fd


def require_descriptors(count: int) -> None:
    """Make sure that this many more descriptors can be opened; raises `LimitError`."""
    taken: list[int] = []
    try:
        while len(taken) < count:
            taken += os.pipe()
    except OSError as error:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        raise LimitError(f"{error.strerror}: the limit is {soft}: raise it with ulimit -n {_ENOUGH}") from None
    finally:
        for fd in taken:
            os.close(fd)
