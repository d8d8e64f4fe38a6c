"""A front-end and a back-end that only talk: `pair.py back SOCKET` and `pair.py front SOCKET MESSAGES SECONDS`.

The front-end sends an eventfd with each message but every tenth, which is answered, and waits between them.
"""

import os
import socket
import struct
import sys
import time

HEADER = struct.Struct("<III")
GET_FEATURES, SET_VRING_CALL = 1, 13
REPLY = 5


def back(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        peer, _ = listener.accept()
    while True:
        data, fds, _, _ = socket.recv_fds(peer, HEADER.size, 8)
        if not data:
            return
        number, _, size = HEADER.unpack(data)
        if size:
            peer.recv(size)
        for fd in fds:
            os.close(fd)
        if number == GET_FEATURES:
            peer.sendall(HEADER.pack(number, REPLY, 8) + bytes(8))


def front(path: str, messages: int, seconds: float) -> None:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(path)
        for place in range(messages):
            if place % 10 == 0:
                peer.sendall(HEADER.pack(GET_FEATURES, 1, 0))
                peer.recv(HEADER.size)
                peer.recv(8)
            else:
                fd = os.eventfd(0)
                payload = struct.pack("<Q", place % 4)
                socket.send_fds(peer, [HEADER.pack(SET_VRING_CALL, 1, len(payload)) + payload], [fd])
                os.close(fd)
            time.sleep(seconds)


if __name__ == "__main__":
    if sys.argv[1] == "back":
        back(sys.argv[2])
    else:
        front(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
