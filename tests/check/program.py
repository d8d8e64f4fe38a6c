"""A program to be checked, in the ways in which back-ends want their socket; run as a file."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

from vudissect.check.reference.models import MODELS
from vudissect.check.reference.models.blk import Disk
from vudissect.check.reference.server import Server, listen
from vudissect.protocol.devices.storage import BLK


class RoomyDisk(Disk):
    """A disk that has as many bytes of configuration space as anybody may ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.config = self.config.ljust(256, b"\0")


def main(way: str, where: str) -> None:
    match way:
        case "once":
            listening = listen(where)
            Server(listening).serve(listening.accept()[0])
        case "client":
            while True:
                Server(socket.socket()).serve(dialled(where))
        case "fd":
            Server(socket.socket()).serve(socket.socket(fileno=int(where)))
        case "listen":
            Server(listen(where)).run()
        case "polls later":
            sys.setswitchinterval(0.0005)
            threading.Thread(target=poll, daemon=True).start()
            Server(listen(where)).run()
        case "polls while rings run":
            sys.setswitchinterval(0.0005)
            threading.Thread(target=poll_rings, daemon=True).start()
            Server(listen(where)).run()
        case "hides what it is":
            MODELS["blk"] = RoomyDisk
            Server(listen(where), without=BLK.features.mask(*BLK.features.numbers)).run()
        case "stubborn":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            Server(listen(where)).run()
        case "with a daemon":
            subprocess.Popen(["sleep", "1000"], start_new_session=True)
            Server(listen(where)).run()
        case "stops":
            listening = listen(where)
            Server(listening).serve(listening.accept()[0])
            os.kill(os.getpid(), signal.SIGSTOP)
        case "silent":
            listening = listen(where)
            print("I never answer", flush=True)
            time.sleep(3600)


def poll() -> None:
    """As DPDK does, from the time on at which its main thread has set up everything."""
    time.sleep(1)
    while True:
        pass


def poll_rings() -> None:
    """As an example of DPDK does, from SET_VRING_KICK on."""
    while True:
        if not any("eventfd" in os.readlink(entry.path) for entry in os.scandir("/proc/self/fd")):
            time.sleep(0.01)


def dialled(where: str) -> socket.socket:
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(where)
            return sock
        except OSError:
            sock.close()
            time.sleep(0.01)


main(*sys.argv[1:])
