"""A small front-end with one fault at most, run as a file: `SOCKET FAULT`.

It asks for the features and the number of queues, waits until the back-end hangs up, and connects again. An answer
that it cannot use makes it connect again, too.
"""

import os
import signal
import socket
import struct
import sys
import time

GET_FEATURES, GET_QUEUE_NUM = 1, 17
MANY = 1000
_ANSWER = 20


def main(path: str, fault: str) -> None:
    kept: list[int] = []
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(path)
        answers = [ask(sock, number, kept) for number in (GET_FEATURES, GET_QUEUE_NUM)]
        queues = answers[1] or 0
        if fault != "leak":
            while kept:
                os.close(kept.pop())
        if queues > MANY:
            give_in(fault)
        if None not in answers:
            sock.recv(1)
        sock.close()
        if fault == "once":
            print("that was all", flush=True)
            raise SystemExit(1)


def give_in(fault: str) -> None:
    """What it does with too many queues."""
    match fault:
        case "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(3600)
        case "spin":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                pass
        case "lost":
            time.sleep(3600)


def ask(sock: socket.socket, number: int, kept: list[int]) -> int | None:
    """The answer to a message, None if there is none."""
    try:
        sock.sendall(struct.pack("<III", number, 1, 0))
        data, fds, _, _ = socket.recv_fds(sock, _ANSWER, 8, socket.MSG_WAITALL)
    except OSError:
        return None
    kept += fds
    if len(data) < _ANSWER:
        return None
    number_there, flags, size, value = struct.unpack("<IIIQ", data)
    return value if (number_there, flags, size) == (number, 5, 8) else None


if __name__ == "__main__":
    main(*sys.argv[1:])
