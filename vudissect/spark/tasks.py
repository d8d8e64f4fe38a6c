"""Which task reads which captures: a large one has a task of its own, small ones share one."""

import os
from collections.abc import Callable, Iterable, Iterator
from glob import glob

from vudissect.capture.files import captures_below

# What is read in a few seconds.
BYTES_OF_A_TASK = 16 << 20

Wanted = Callable[[str], bool]


def captures_at(paths: Iterable[str]) -> list[str]:
    """The captures that paths, patterns and folders name. `OSError` if one names nothing."""
    found: list[str] = []
    for path in paths:
        named = [path] if os.path.exists(path) else sorted(glob(path, recursive=True))
        if not named:
            raise FileNotFoundError(f"{path}: there is no such file or folder")
        for name in named:
            found += captures_below(name) if os.path.isdir(name) else [name]
    return list(dict.fromkeys(found))


def tasks(captures: Iterable[str]) -> Iterator[list[str]]:
    """The captures of each task, in their order."""
    task: list[str] = []
    rest = BYTES_OF_A_TASK
    for capture in captures:
        size = _size(capture)
        if task and size > rest:
            yield task
            task, rest = [], BYTES_OF_A_TASK
        task.append(capture)
        rest -= size
    if task:
        yield task


def _size(capture: str) -> int:
    try:
        return os.stat(capture).st_size
    except OSError:
        return 0  # whoever reads it reports the error
