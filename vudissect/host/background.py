"""Threads in the background of programs that handle signals."""

import signal
from collections.abc import Callable
from threading import Thread


def in_background(task: Callable[..., object], *arguments: object) -> Thread:
    """Start a thread that does not keep the program from ending, and that gets no signals.

    Only the main thread handles them, and it would not wake up. The thread must not start programs: these would get
    none either.
    """
    thread = Thread(target=task, args=arguments, daemon=True)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return thread
