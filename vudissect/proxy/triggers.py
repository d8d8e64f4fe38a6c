"""What makes a bundle, and the process that watches for it and makes it; the relay only passes on what it records."""

import os
import select
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final

from vudissect.host.address import Role, parse_address
from vudissect.host.endpoint import Listener
from vudissect.proxy.companion import Companion
from vudissect.proxy.diagnostics import Warn
from vudissect.proxy.sink import MakeGap

CONTROL_FD: Final = 4
"""The number of the control socket in the other process."""

_MODULE: Final = "vudissect.cli.watch_triggers"
_START_SECONDS = 30.0
_END_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Bundling:
    """When a bundle is made: at these triggers, and on SIGUSR1; `control` is the path of a socket for commands.

    `redact`: leave out names, keys and screens; `addresses`: also those of processes.
    """

    triggers: tuple[str, ...] = ()
    control: str = ""
    redact: bool = True
    addresses: bool = False


class TriggerWatch(Companion):
    """A running watch. Raises `AddressError` or `OSError` if it cannot start."""

    def __init__(
        self,
        bundling: Bundling,
        capture: str,
        command: str,
        preamble: bytes,
        gap: MakeGap,
        warn: Warn,
        *,
        is_rotated: bool,
    ) -> None:
        """`capture` is the path of the capture, or the one that the names of a rotated one are made from."""
        self._listener = Listener(parse_address(Role.LISTEN, bundling.control)) if bundling.control else None
        options = ["--capture", os.path.abspath(capture), "--command", command, *_words("--on", bundling.triggers)]
        options += ["--no-redaction"] * (not bundling.redact) + ["--rotated"] * is_rotated
        options += ["--redact-addresses"] * bundling.addresses
        passed = {}
        if self._listener is not None:
            options.append("--control")
            passed[CONTROL_FD] = self._listener.socket.fileno()
        super().__init__(_MODULE, options, "triggers", preamble, gap, warn, passed)
        # A signal before it is ready would end it.
        if not select.select([self.report], [], [], _START_SECONDS)[0] or os.read(self.report, 1) != b"\n":
            self.abandon()
            raise OSError(0, "its process did not start")

    def trigger(self) -> None:
        """Make a bundle now; it is made a moment later, so that what was just recorded is in it."""
        with suppress(OSError):
            os.kill(self.pid, signal.SIGUSR1)

    def finish(self) -> None:
        """End it, once the sink is closed and the last bundle is made."""
        self.end(monotonic() + _END_SECONDS)
        self._remove()

    def abandon(self) -> None:
        """End it at once."""
        super().abandon()
        self._remove()

    def _remove(self) -> None:
        if self._listener is not None:
            self._listener.close()


def _words(option: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (option, value)]
