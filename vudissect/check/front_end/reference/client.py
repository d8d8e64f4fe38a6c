"""The process: connects, plays a session, and connects again when the back-end is gone, until SIGTERM."""

import select
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

from vudissect.check.front_end.reference.disk import DriverDisk
from vudissect.check.front_end.reference.errors import DEADLY, GiveUpError, LostError
from vudissect.check.front_end.reference.session import FrontEnd, Known
from vudissect.check.reference.fault import Faults, die

_ATTEMPTS = 3
_PAUSE = 0.02
_FAILED = 1


def main(arguments: list[str]) -> None:
    """`SOCKET [FAULT-FILE]`."""
    path, *rest = arguments
    faults = Faults(Path(rest[0]).read_text().strip() if rest else "")
    wake, ended = socket.socketpair()
    signal.signal(signal.SIGTERM, lambda number, frame: _wake(ended, number, frame))
    disk, known = DriverDisk(), Known()
    for _ in range(_ATTEMPTS):
        if _session(path, disk, known, faults, wake) or select.select([wake], [], [], _PAUSE)[0]:
            return
    raise SystemExit(_FAILED)


def _wake(ended: socket.socket, _: int, __: FrameType | None) -> None:
    ended.send(b"\0")


def _session(path: str, disk: DriverDisk, known: Known, faults: Faults, wake: socket.socket) -> bool:
    """Play one session; whether it came to its end."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(path)
    except OSError as error:
        sock.close()
        _report(f"{path}: {error.strerror}", faults)
        return False
    session = FrontEnd(sock, disk, known, faults)
    try:
        session.set_up()
        session.run(wake.fileno())
        session.stop()
    except LostError as error:
        _report(str(error), faults)
        return False
    except GiveUpError as error:
        _report(str(error), faults)
        raise SystemExit(_FAILED) from None
    finally:
        session.close()
    return True


def _report(text: str, faults: Faults) -> None:
    if faults.has(*DEADLY):
        die()
    print(f"reference front-end: {text}", file=sys.stderr, flush=True)
