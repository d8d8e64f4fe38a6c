"""A monitor of QEMU or qemu-storage-daemon, asked in its own protocol (QMP)."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.peers.journal import note_told
from tests.peers.processes import PeerError

_PATIENCE = 60.0
_POLL = 0.05


class Monitor:
    """A connection to a monitor. `who` names the program in messages and in the journal of `folder`."""

    def __init__(self, connection: socket.socket, who: str, folder: Path) -> None:
        self._lines = connection.makefile("rwb")
        self._who = who
        self._folder = folder
        self._lines.readline()  # the greeting
        self._ask("qmp_capabilities", {})

    def execute(self, command: str, **arguments: Any) -> Any:
        """Execute a command; what it returns. `PeerError` if it fails."""
        asked = {name.replace("_", "-"): value for name, value in arguments.items()}
        note_told(self._folder, self._who, f"{command} {json.dumps(asked)}" if asked else command)
        return self._ask(command, asked)

    def wait_for(self, command: str, key: str, *wanted: str) -> str:
        """Ask a question until the value of `key` in the answer is one of `wanted`; which it is then."""
        deadline = time.monotonic() + _PATIENCE
        while (value := self._ask(command, {}).get(key)) not in wanted:
            if time.monotonic() > deadline:
                raise PeerError(f"{self._who}: {command} says {key} {value!r}, not {wanted}, after {_PATIENCE:.0f} s")
            time.sleep(_POLL)
        return str(value)

    def _ask(self, command: str, arguments: dict[str, Any]) -> Any:
        self._lines.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        self._lines.flush()
        for line in self._lines:
            said = json.loads(line)
            if "error" in said:
                raise PeerError(f"{self._who}: {command}: {said['error']['desc']}")
            if "return" in said:
                return said["return"]
            # Anything else is an event.
        raise PeerError(f"{self._who} ended at {command}")


@contextmanager
def monitor(socket_name: str, who: str, folder: Path) -> Iterator[Monitor]:
    """Connect to the monitor that listens at `socket_name` in the folder."""
    # The path from the root could be too long for a socket.
    directory = os.open(folder, os.O_PATH)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect(f"/proc/self/fd/{directory}/{socket_name}")
            yield Monitor(connection, who, folder)
    finally:
        os.close(directory)
