"""The captures that are read, from the paths that a user names."""

import os
from collections.abc import Iterable
from glob import glob

from vudissect.capture.files import captures_below


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
