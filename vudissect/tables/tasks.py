"""Which captures are read together: a large one has a task of its own, small ones share one."""

import os
import stat
from collections.abc import Iterable, Iterator


def tasks(captures: Iterable[str], most: int) -> Iterator[list[str]]:
    """The captures of each task, in their order: up to `most` bytes, or one capture that has more."""
    task: list[str] = []
    rest = most
    for capture in captures:
        size = _size(capture, most)
        if task and size > rest:
            yield task
            task, rest = [], most
        task.append(capture)
        rest -= size
    if task:
        yield task


def _size(capture: str, otherwise: int) -> int:
    """The bytes of a file; `otherwise` of anything else, whose length is unknown."""
    try:
        about = os.stat(capture)
    except OSError:
        return 0  # whoever reads it reports the error
    return about.st_size if stat.S_ISREG(about.st_mode) else otherwise
