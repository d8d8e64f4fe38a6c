"""A command that is interrupted ends what it has started, and writes what it has."""

import signal
import sys
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def exit_on_signals() -> None:
    """Raise `SystemExit` on the first SIGINT, SIGTERM or SIGHUP, and ignore further ones.

    A signal that is ignored already stays so: nohup and shells that start something in the background do that.
    """
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _exit)


def ignore_signals() -> None:
    """Do not be interrupted from now on."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _exit(number: int, frame: FrameType | None) -> None:
    ignore_signals()
    sys.exit(128 + number)
