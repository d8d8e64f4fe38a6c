"""The process at the other end of a socket."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from vudissect.host.peer import peer_of


def test_the_peer_of_a_socket_pair_is_this_process() -> None:
    one, other = socket.socketpair()
    with one, other:
        peer = peer_of(one)

    assert (peer.pid, peer.uid, peer.gid) == (os.getpid(), os.geteuid(), os.getegid())
    assert peer.command == Path("/proc/self/comm").read_text().rstrip("\n")
    assert os.path.samefile(peer.executable, sys.executable)


def test_an_exited_process_is_only_known_by_its_number() -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        name = f"\0vudissect-test-{os.getpid()}"
        listener.bind(name)
        listener.listen()
        code = f"import socket; socket.socket(socket.AF_UNIX).connect({name!r})"
        with subprocess.Popen([sys.executable, "-c", code]) as child:
            accepted, _ = listener.accept()
        with accepted:
            peer = peer_of(accepted)

    assert peer.pid == child.pid
    assert (peer.command, peer.executable) == ("", "")


def test_a_socket_without_a_peer_has_process_zero() -> None:
    with socket.socket(socket.AF_UNIX) as unconnected:
        peer = peer_of(unconnected)

    assert (peer.pid, peer.command, peer.executable) == (0, "", "")
