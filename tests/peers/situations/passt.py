"""A guest's network: QEMU's vhost-user-net and passt, which maps the guest's connections to sockets of the host."""

import random
import socket as sockets
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers.guest import Guest, guest
from tests.peers.processes import Process, running, wait_for_listener
from tests.peers.situations.situation import MIB, Situation

ADDRESS = "192.0.2.15"  # that passt gives to the guest
_HOST = "192.0.2.1"  # passt maps it to the loopback address of the host
_SCRIPT = f"""
cat > /lease << 'END'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip address add $ip/$mask dev eth0
echo RESULT address=$ip
END
chmod +x /lease
ip link set eth0 up
udhcpc -q -n -i eth0 -s /lease
mkfifo /silence
exec 3<> /silence
echo RESULT waits=yes
read port
nc {_HOST} $port <&3 > /received
echo RESULT digest_of_received=$(sha256sum < /received)
"""


@dataclass(frozen=True)
class Download:
    """Data that a program on the host sent, with the guest's address, and the SHA-256 in hex of what it received."""

    address: str
    sent: bytes
    digest_of_received: str


@dataclass(frozen=True)
class Passt(Situation[Guest, Process, Download]):
    """A guest gets an address with DHCP, and 1 MiB over TCP from a program on the host."""

    @contextmanager
    def back_end(self, folder: Path, socket: str) -> Iterator[Process]:
        command = [
            *(self.back.program("passt", "passt"), "--foreground", "--vhost-user", "--socket", socket),
            *("--ipv4-only", "--address", ADDRESS, "--netmask", "24", "--gateway", _HOST, "--runas", "0"),
        ]
        with running("passt", command, folder, within=self.back.within) as process:
            wait_for_listener(socket, process)
            yield process

    def front_end(self, folder: Path, socket: str) -> AbstractContextManager[Guest]:
        devices = [
            *("-chardev", f"socket,id=net,path={socket}", "-netdev", "vhost-user,id=net,chardev=net"),
            *("-device", "virtio-net-pci,netdev=net"),
        ]
        return guest(_SCRIPT, folder, modules=("virtio_net", "af_packet"), devices=devices, release=self.front)

    def act(self, folder: Path, front_end: Guest, back_end: Process) -> Download:
        data = random.Random("passt").randbytes(MIB)
        front_end.wait_for("waits")
        with _server(data) as port:
            front_end.process.say(str(port))
            found = front_end.results()
        return Download(found["address"], data, found["digest_of_received"].split()[0])


@contextmanager
def _server(data: bytes) -> Iterator[int]:
    """A server on the host that sends the data to the first client; yields its port."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(data)

    with sockets.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()
