"""A front-end to be checked, in the ways in which the reference is none; run as a file."""

import signal
import socket
import sys
import time

from vudissect.check.front_end.reference.disk import DriverDisk
from vudissect.check.front_end.reference.errors import GiveUpError, LostError
from vudissect.check.front_end.reference.session import FrontEnd, Known
from vudissect.check.reference.fault import Faults
from vudissect.check.reference.server import listen


def main(way: str, where: str) -> None:
    match way:
        case "never":
            print("I need a kernel", flush=True)
            raise SystemExit(3)
        case "silent":
            with connected(where):
                time.sleep(3600)
        case "asks nothing":
            sock = connected(where)
            sock.close()
            print("no disk today", flush=True)
            raise SystemExit(1)
        case "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            sock = connected(where)
            ask(sock)
            time.sleep(3600)
        case "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            sock = connected(where)
            ask(sock)
        case "short":
            sock = connected(where)
            ask(sock)
        case "listens":
            serve(where, connections=3)
        case "listens once":
            serve(where, connections=1)


def connected(where: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(where)
    return sock


def serve(where: str, connections: int) -> None:
    """The reference, but it listens; the socket stays there after the last connection that it accepts."""
    wake, ended = socket.socketpair()
    signal.signal(signal.SIGTERM, lambda number, frame: ended.sendall(b"."))
    listening = listen(where)
    disk, known = DriverDisk(), Known()
    for _ in range(connections):
        session = FrontEnd(listening.accept()[0], disk, known, Faults())
        try:
            session.set_up()
            session.run(wake.fileno())
            session.stop()
        except (LostError, GiveUpError) as error:
            print(error, flush=True)
        else:
            return
        finally:
            session.close()
    wake.recv(1)


def ask(sock: socket.socket) -> None:
    sock.sendall(bytes([1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]))
    answer = sock.recv(20)
    if len(answer) < 20 or answer[4] != 5:
        print("not an answer", flush=True)
        raise SystemExit(1)


main(*sys.argv[1:])
