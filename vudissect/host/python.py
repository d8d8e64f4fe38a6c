"""How to start this Python again, for one of our own programs."""

import sys


def python_module(name: str) -> list[str]:
    """The first words of a command that runs a module, never from the current folder."""
    return [sys.executable, "-P", "-m", name]
