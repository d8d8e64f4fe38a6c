"""What /proc says about a process, for somebody who was not there."""

import os
from typing import Final

_FILES: Final = ("cmdline", "status", "limits", "stack", "wchan")
_MOST_BYTES: Final = 64 << 10
_MOST_DESCRIPTORS: Final = 1024
_MOST_THREADS: Final = 256


def facts_of(pid: int) -> dict[str, str]:
    """Texts by name: files of /proc/PID, its threads with what they wait for, and its descriptors.

    What this user may not read, or what is gone, has the reason instead. Empty if there is no such process.
    """
    if not os.path.isdir(f"/proc/{pid}"):
        return {}
    facts = {name: _read(f"/proc/{pid}/{name}") for name in _FILES}
    facts["cmdline"] = facts["cmdline"].rstrip("\0").replace("\0", " ")
    facts["threads"] = _threads(pid)
    facts["descriptors"] = _descriptors(pid)
    return facts


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_MOST_BYTES).decode(errors="backslashreplace")
    except OSError as error:
        return f"not readable: {error.strerror}"


def _threads(pid: int) -> str:
    lines = []
    for thread in _listed(f"/proc/{pid}/task")[:_MOST_THREADS]:
        place = f"/proc/{pid}/task/{thread}"
        name, waits = (_read(f"{place}/{file}").strip() for file in ("comm", "wchan"))
        stack = _read(f"{place}/stack").strip().replace("\n", "\n    ")
        lines.append(f"{thread} {name}: waits in {waits}\n    {stack}")
    return "\n".join(lines)


def _descriptors(pid: int) -> str:
    lines = []
    for number in _listed(f"/proc/{pid}/fd")[:_MOST_DESCRIPTORS]:
        try:
            lines.append(f"{number} {os.fsdecode(os.readlink(f'/proc/{pid}/fd/{number}'))}")
        except OSError as error:
            lines.append(f"{number} not readable: {error.strerror}")
    return "\n".join(lines)


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder), key=lambda name: (len(name), name))
    except OSError:
        return []
