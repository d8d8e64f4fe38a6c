"""A peer that starts quickly: `peer.py front-end|back-end connect|listen|fd WHERE SCRIPT [FLAW]`.

It imports nothing of ours. SCRIPT is JSON: the messages of the front-end, each with its bytes, whether an eventfd goes
along and how many bytes the answer has; and the answers of the back-end, by the number of the message. Bytes are
hexadecimal.
"""

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HEADER = 12
ATTEMPTS = 500
PAUSE = 0.02


class EndError(Exception):
    """The other side is gone."""


def receive(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        # Descriptors that come along are closed with the process.
        part = sock.recv(size - len(data))
        if not part:
            raise EndError
        data += part
    return data


def connections(way: str, where: str) -> Iterator[socket.socket]:
    """One after the other."""
    if way == "fd":
        yield socket.socket(fileno=int(where))
    elif way == "listen":
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(where)
        listening.listen()
        while True:
            yield listening.accept()[0]
    for _ in range(ATTEMPTS if way == "connect" else 0):
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(where)
        except OSError:
            time.sleep(PAUSE)
        else:
            yield sock


def set_up(sock: socket.socket, messages: list[tuple[str, bool, int]]) -> None:
    """The front-end's part."""
    for text, has_descriptor, answer in messages:
        if has_descriptor:
            kick = os.eventfd(0)
            socket.send_fds(sock, [bytes.fromhex(text)], [kick])
            os.close(kick)
        else:
            sock.sendall(bytes.fromhex(text))
        receive(sock, answer)
    receive(sock, 1)


def serve(sock: socket.socket, answers: dict[str, str]) -> None:
    """The back-end's part."""
    while True:
        header = receive(sock, HEADER)
        receive(sock, int.from_bytes(header[8:], sys.byteorder))
        sock.sendall(bytes.fromhex(answers.get(str(int.from_bytes(header[:4], sys.byteorder)), "")))


def main(side: str, way: str, where: str, script: str, flaw: str = "") -> None:
    messages, answers = json.loads(Path(script).read_text())
    for sock in connections(way, where):
        try:
            with sock:
                if side == "front-end":
                    set_up(sock, messages)
                else:
                    serve(sock, answers)
        except (EndError, OSError):
            if flaw == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            while flaw == "does not notice":
                time.sleep(1)
        if flaw == "serves one":
            return


main(*sys.argv[1:])
