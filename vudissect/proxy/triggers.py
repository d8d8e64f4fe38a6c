"""What makes a bundle, and the process that watches for it and makes it; the relay only passes on what it records."""

import os
import shlex
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from vudissect.host.address import Role, parse_address
from vudissect.host.endpoint import Listener
from vudissect.proxy.command import Wrapped
from vudissect.proxy.companion import Companion, Feed

CONTROL_FD: Final = 4
"""The number of the control socket in the other process."""

_MODULE: Final = "vudissect.cli.watch_triggers"


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

    # The last bundle is made then.
    patience = 60.0

    def __init__(
        self, bundling: Bundling, capture: str, command: str, feed: Feed, *, is_rotated: bool, started: Wrapped | None
    ) -> None:
        """`capture` is the path of the capture, or the one that the names of a rotated one are made from.

        `started`: also watch its end and its log.
        """
        listener = Listener(parse_address(Role.LISTEN, bundling.control)) if bundling.control else None
        options = ["--capture", os.path.abspath(capture), "--command", command]
        options += [word for trigger in bundling.triggers for word in ("--on", trigger)]
        options += ["--no-redaction"] * (not bundling.redact) + ["--rotated"] * is_rotated
        options += ["--redact-addresses"] * bundling.addresses + ["--control"] * (listener is not None)
        if started is not None:
            options += ["--started", shlex.join(started.words), "--log", started.log]
            options += ["--copy-log"] * started.writes_log
        passed = {} if listener is None else {CONTROL_FD: listener.socket.fileno()}
        super().__init__(_MODULE, options, "triggers", feed, passed, listener)
        # A signal before it is ready would end it.
        self.wait_until_ready()

    def trigger(self) -> None:
        """Make a bundle now; it is made a moment later, so that what was just recorded is in it."""
        with suppress(OSError):
            os.kill(self.pid, signal.SIGUSR1)
