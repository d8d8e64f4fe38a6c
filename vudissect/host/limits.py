"""Limits that the kernel puts on this process."""

import os
import resource


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
    """The number that the kernel gives to the next descriptor; the limit itself when none is free."""
    try:
        fd = os.eventfd(0, os.EFD_CLOEXEC)
    except OSError:
        return descriptor_limit()
    os.close(fd)
    return fd
