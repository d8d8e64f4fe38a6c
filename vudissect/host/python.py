"""How this Python is started again, for a program of ours."""

import sys


def python_module(name: str) -> list[str]:
    """The first words of a command that runs a module, which are never looked for in the current folder."""
    return [sys.executable, "-P", "-m", name]
