"""What is known of the processes of both sides: /proc, and versions of well-known programs."""

import os
import re
import stat
import subprocess
from collections.abc import Mapping
from typing import Final

from vudissect.capture.record import Record
from vudissect.host.process_facts import facts_of

_SIDES: Final = ("front_end", "back_end")
# Programs that print their version and do nothing else.
_KNOWN: Final = re.compile(
    r"qemu-(system-\w+|storage-daemon|kvm)|kvm|virtiofsd|ovs-vswitchd|cloud-hypervisor|passt|vhost-device-\w+"
)
_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_SECONDS: Final = 5
_MOST_BYTES: Final = 4096
# Connections whose processes are remembered.
_MOST: Final = 8


class Sides:
    """Remembers the processes of connections from their beginning: at the end they may be gone."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, str, dict[str, str]]] = {}

    def opened(self, record: Record) -> None:
        """A connection was opened."""
        for side in _SIDES:
            pid = record.details.get(f"{side}_pid")
            if isinstance(pid, int) and pid > 0:
                executable = str(record.details.get(f"{side}_executable", ""))
                name = f"connection-{record.connection}/{side.replace('_', '-')}"
                self._known[name] = pid, executable, facts_of(pid)
        while len(self._known) > _MOST * len(_SIDES):
            del self._known[next(iter(self._known))]

    def facts(self) -> Mapping[str, str]:
        """Texts by file name: as they are now, or as they were when a connection was opened."""
        texts: dict[str, str] = {}
        for name, (pid, executable, before) in self._known.items():
            now = facts_of(pid)
            is_same = bool(now) and now["cmdline"] == before.get("cmdline")
            when = "as it was when the bundle was made" if is_same else "gone; as it was when it connected"
            version, program = _version(executable), os.path.basename(executable)
            texts[f"{name}/process.txt"] = f"pid {pid}\nprogram {program or '?'}\nversion {version}\n{when}\n"
            for fact, text in (now if is_same else before).items():
                texts[f"{name}/{fact}.txt"] = f"{text}\n"
        return texts


def _version(executable: str) -> str:
    """What a well-known program prints as its version; only one that no other user could have put there is run."""
    if not _KNOWN.fullmatch(os.path.basename(executable)):
        return "unknown: only well-known programs are asked"
    try:
        status = os.stat(executable)
        if status.st_uid not in (0, os.geteuid()) or status.st_mode & _OTHERS_MAY_WRITE:
            return "unknown: the program belongs to another user"
        done = subprocess.run(
            [executable, "--version"], capture_output=True, stdin=subprocess.DEVNULL, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"unknown: {error}"
    return done.stdout[:_MOST_BYTES].decode(errors="backslashreplace").strip() or "unknown: it prints nothing"
