"""A front-end to be checked, in the ways in which the reference is none; run as a file."""

import signal
import socket
import sys
import time


def main(way: str, where: str) -> None:
    match way:
        case "never":
            print("I need a kernel", flush=True)
            raise SystemExit(3)
        case "silent":
            connected(where)
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


def connected(where: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(where)
    return sock


def ask(sock: socket.socket) -> None:
    sock.sendall(bytes([1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]))
    answer = sock.recv(20)
    if len(answer) < 20 or answer[4] != 5:
        print("not an answer", flush=True)
        raise SystemExit(1)


main(*sys.argv[1:])
