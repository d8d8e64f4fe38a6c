"""A program to be checked, in the ways in which back-ends want their socket; run as a file."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

from vudissect.check.reference.server import Server, listen


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
