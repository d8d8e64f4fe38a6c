"""The process: one front-end at a time, in one thread that waits for everything."""

import select
import signal
import socket
from contextlib import suppress
from pathlib import Path
from types import FrameType

from vudissect.check.reference.control import Control
from vudissect.check.reference.fault import Faults, die
from vudissect.check.reference.intake import HangUpError
from vudissect.check.reference.models import MODELS
from vudissect.check.reference.session import Session

_POLL_RINGS_EVERY = 2  # ms
_SESSIONS = 10
_MANY = 100
_MANY_REQUESTS = 20


class _EndError(Exception):
    """SIGTERM."""


class Server:
    """Serves front-ends. The fault of each session is what the file `fault_file` has by then."""

    def __init__(
        self,
        listening: socket.socket,
        fault_file: Path | None = None,
        without: int = 0,
        device: str = "blk",
        control: Control | None = None,
    ) -> None:
        self._listening = listening
        self._fault_file = fault_file
        self._without = without
        self._model = MODELS[device]()
        self._control = control or Control()
        self._sessions: dict[str, int] = {}

    def run(self) -> None:
        """Serve until SIGTERM."""
        signal.signal(signal.SIGTERM, self._end)
        with suppress(_EndError):
            while True:
                sock = self._listening.accept()[0]
                self.serve(sock)

    def _end(self, _: int, __: FrameType | None) -> None:
        if self._fault() not in ("LIF-07", "LIF-11"):
            raise _EndError

    def _fault(self) -> str:
        return self._fault_file.read_text().strip() if self._fault_file is not None else ""

    def serve(self, sock: socket.socket) -> None:
        """Serve one front-end, until it hangs up."""
        faults = Faults(self._fault())
        self._sessions[faults.name] = self._sessions.get(faults.name, 0) + 1
        self._control.begin(sock)
        session = Session(sock, self._model, faults, self._without, self._control)
        try:
            while True:
                self._wait(session, faults)
        except HangUpError:
            if faults.has("LIF-13") and session.messages > 1:
                self._spin(session)
            self._after(session, faults)
        finally:
            session.close()

    def _wait(self, session: Session, faults: Faults) -> None:
        poll = select.poll()
        poll.register(session.socket, select.POLLIN)
        kicks = {ring.kick: ring for ring in session.device.rings if ring.kick >= 0 and not ring.broken}
        for kick in kicks:
            poll.register(kick, select.POLLIN)
        channel = session.device.core.channel
        if channel.fd >= 0:
            poll.register(channel.fd, select.POLLIN)
        if self._control.fd >= 0:
            poll.register(self._control.fd, select.POLLIN)
        if faults.has("LIF-01"):
            poll.register(self._listening, select.POLLIN)
        rings = session.device.rings
        polled = any(ring.polled for ring in rings)
        wait = 0 if any(ring.has_more for ring in rings) else _POLL_RINGS_EVERY if polled else None
        ready = [fd for fd, _ in poll.poll(wait)]
        # Always, as what was said before a message has to be heard before it.
        session.device.core.listen()
        session.device.poll()
        if self._listening.fileno() in ready:
            raise HangUpError
        if channel.fd in ready:
            channel.read()
        for fd in ready:
            if fd in kicks:
                session.device.kicked(kicks[fd])
                if faults.has("RNG-34"):
                    break
        if session.socket.fileno() in ready:
            session.serve()

    def _spin(self, session: Session) -> None:
        """Not to notice the end of a connection."""
        while True:
            select.select([session.socket], [], [])

    def _after(self, session: Session, faults: Faults) -> None:
        """The front-end has hung up: some faults show only then."""
        if (
            (faults.has("FRM-15") and session.within_a_message)
            or (faults.has("FRM-16") and session.is_idle)
            or (faults.has("LIF-02") and self._sessions[faults.name] > _SESSIONS)
            or (faults.has("LIF-03") and session.device.has_waiting)
            or (faults.has("LIF-10") and session.messages > _MANY)
            or faults.has(_ended_within(session))
        ):
            die()


def _ended_within(session: Session) -> str:
    """The case that ends a session where this one has ended."""
    core = session.device.core
    done = max(ring.base for ring in core.rings)
    if session.within_a_message:
        return "LIF-23"
    if core.features is None:
        return "LIF-20"
    if not core.map.memory.regions:
        return "LIF-21"
    if not any(ring.size for ring in core.rings):
        return "LIF-22"
    if not core.is_running:
        return "LIF-28" if done else "LIF-24"
    done = max(ring.stop() for ring in core.rings)
    return "LIF-25" if not done else "LIF-26" if done < _MANY_REQUESTS else "LIF-27"


def main(arguments: list[str]) -> None:
    """`SOCKET [FAULT-FILE [FEATURES-NOT-OFFERED [DEVICE [CONTROL-SOCKET]]]]`."""
    path, *rest = arguments
    fault_file = Path(rest[0]) if rest else None
    without, device = int(rest[1], 0) if len(rest) > 1 else 0, rest[2] if len(rest) > 2 else "blk"
    control = Control(rest[3] if len(rest) > 3 else "")
    Server(listen(path), fault_file, without, device, control).run()


def listen(path: str) -> socket.socket:
    """A socket that front-ends can connect to."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(path)
    listening.listen(8)
    return listening
