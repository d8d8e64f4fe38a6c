"""A client for the monitor of QEMU or qemu-storage-daemon (QMP)."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.peers.journal import note_sent
from tests.peers.processes import PeerError

_TIMEOUT = 60.0
_POLL_INTERVAL = 0.05


class Monitor:
    """A connection to a monitor. `who` names the program in messages and in the journal of `folder`."""

    def __init__(self, connection: socket.socket, who: str, folder: Path) -> None:
        self._lines = connection.makefile("rwb")
        self._who = who
        self._folder = folder
        self._lines.readline()  # the greeting
        self._ask("qmp_capabilities", {})

    def execute(self, command: str, **arguments: Any) -> Any:
        """Execute a command and return its result; `PeerError` if it fails."""
        sent = {name.replace("_", "-"): value for name, value in arguments.items()}
        note_sent(self._folder, self._who, f"{command} {json.dumps(sent)}" if sent else command)
        return self._ask(command, sent)

    def wait_for(self, command: str, key: str, *wanted: str) -> str:
        """Repeat a command until the value of `key` in the result is one of `wanted`, and return it."""
        deadline = time.monotonic() + _TIMEOUT
        while (value := self._ask(command, {}).get(key)) not in wanted:
            if time.monotonic() > deadline:
                raise PeerError(f"{self._who}: {command}: {key} is {value!r}, not {wanted}, after {_TIMEOUT:.0f} s")
            time.sleep(_POLL_INTERVAL)
        return str(value)

    def _ask(self, command: str, arguments: dict[str, Any]) -> Any:
        self._lines.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        self._lines.flush()
        for line in self._lines:
            response = json.loads(line)
            if "error" in response:
                raise PeerError(f"{self._who}: {command}: {response['error']['desc']}")
            if "return" in response:
                return response["return"]
            # Anything else is an event.
        raise PeerError(f"{self._who} exited during {command}")


@contextmanager
def monitor(socket_name: str, who: str, folder: Path) -> Iterator[Monitor]:
    """Connect to the monitor that listens at `socket_name` in the folder."""
    # The absolute path could be too long for a socket.
    directory = os.open(folder, os.O_PATH)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_TIMEOUT)
            connection.connect(f"/proc/self/fd/{directory}/{socket_name}")
            yield Monitor(connection, who, folder)
    finally:
        os.close(directory)
