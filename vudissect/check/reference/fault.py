"""Which fault is switched on, and what refuses a message."""

import os
import signal


class RefusedError(Exception):
    """A message that is not carried out: acknowledged with 1, or the connection is closed."""


class IgnoredError(Exception):
    """A message of which nothing comes, as a fault."""


class Faults:
    """The one fault that is on, "" for none."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def has(self, *cases: str) -> bool:
        """Whether the fault of one of these cases is on."""
        return self.name in cases

    def refuse(self, case: str, wrong: object, why: str) -> None:
        """Refuse what is wrong, unless not to do so is the fault, "" for none; `RefusedError`."""
        if wrong and (not case or self.name != case):
            raise RefusedError(why)

    def die_of(self, case: str) -> None:
        """End as by a crash, if that is the fault."""
        if self.name == case:
            die()


def die() -> None:
    """End as by a crash, without a core file."""
    os.kill(os.getpid(), signal.SIGKILL)
