"""One session: features, memory, a ring with one request, and the end."""

import os
import select
import socket

from vudissect.check.front_end.reference.channel import ServedChannel
from vudissect.check.front_end.reference.connection import Connection
from vudissect.check.front_end.reference.disk import RING_SIZE, DriverDisk
from vudissect.check.front_end.reference.errors import GiveUpError, LostError
from vudissect.check.reference.fault import Faults
from vudissect.protocol.devices.storage import BLK
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.purpose import Purpose

_BIT_30 = VIRTIO_FEATURES.mask("PROTOCOL_FEATURES")
_VERSION_1 = VIRTIO_FEATURES.mask("VERSION_1")
_WANTED = _BIT_30 | _VERSION_1 | BLK.features.mask("SEG_MAX", "BLK_SIZE")
_PROTOCOL = PROTOCOL_FEATURES.mask(
    *["MQ", "LOG_SHMFD", "REPLY_ACK", "BACKEND_REQ", "CONFIG", "INFLIGHT_SHMFD", "CONFIGURE_MEM_SLOTS", "STATUS"],
    *["SHMEM", "BACKEND_SEND_FD", "SHARED_OBJECT"],
)
_SKIP_DRAIN = PROTOCOL_FEATURES.mask("GET_VRING_BASE_SKIP_DRAIN")
_PACKED = VIRTIO_FEATURES.mask("RING_PACKED")
_CONFIG_SIZE = 60
_ACKNOWLEDGED, _DRIVER, _DRIVER_OK, _FEATURES_OK = 1, 2, 4, 8
_PAGES_PER_BYTE = 8 * 4096
_UNLIKELY = 1000


class Known:
    """What the front-end remembers from one connection to the next."""

    def __init__(self) -> None:
        self.features = 0
        self.slots = 0
        self.connections = 0


class FrontEnd:
    """Plays one session; `GiveUpError`, `LostError`."""

    def __init__(self, sock: socket.socket, disk: DriverDisk, known: Known, faults: Faults) -> None:
        self._link = Connection(sock, faults)
        self._disk = disk
        self._known = known
        self._faults = faults
        self._inflight = -1
        known.connections += 1
        self.started = False

    def close(self) -> None:
        """Close the connection."""
        self._link.close()
        if self._inflight >= 0:
            os.close(self._inflight)

    def set_up(self) -> None:
        """Everything up to the first request."""
        features = self._negotiate()
        if self._link.has("SHMEM"):
            self._link.ask(Purpose.COUNT_SHARED_MEMORY)
        self._link.send(Purpose.TAKE_OWNERSHIP)
        features &= self._link.ask(Purpose.OFFER_FEATURES).fields["features"]
        if self._link.has("CONFIG") or self._faults.has("F-13"):
            self._read_config()
        self._acknowledge(features)
        if self._link.has("INFLIGHT_SHMFD"):
            self._get_inflight()
        self._send_memory()
        self._start_ring()

    def _negotiate(self) -> int:
        link, faults = self._link, self._faults
        features: int = link.ask(Purpose.OFFER_FEATURES).fields["features"]
        if features & _BIT_30 or faults.has("F-12"):
            offered = link.ask(Purpose.OFFER_PROTOCOL_FEATURES).fields["features"]
            wanted = _PROTOCOL | (_SKIP_DRAIN if faults.has("F-37") else 0)
            agreed = offered if faults.has("F-46") else offered & wanted
            link.send(Purpose.ACK_PROTOCOL_FEATURES, {"features": agreed})
            link.agreed = agreed
        if link.has("MQ") or faults.has("F-48"):
            self._count_queues()
        if link.has("CONFIGURE_MEM_SLOTS"):
            self._count_slots()
        if link.has("BACKEND_REQ"):
            link.channel = ServedChannel(faults, acknowledges=link.has("REPLY_ACK"))
            link.command(Purpose.OPEN_CHANNEL, fds=(link.channel.theirs.fileno(),))
            link.channel.theirs.close()
        return features

    def _count_queues(self) -> None:
        queues = self._link.ask(Purpose.COUNT_QUEUES).fields["queues"]
        if queues > _UNLIKELY:
            self._faults.die_of("F-36")
        if not queues:
            if self._known.connections > 1:
                self._faults.die_of("F-75")
            if not self._faults.has("F-14"):
                raise GiveUpError("the back-end has no queue")

    def _count_slots(self) -> None:
        slots = self._link.ask(Purpose.COUNT_MEMORY_SLOTS).fields["slots"]
        if slots > _UNLIKELY:
            self._faults.die_of("F-38")
        if slots < self._known.slots:
            self._faults.die_of("F-27")
        self._known.slots = slots
        if not slots and not self._faults.has("F-15"):
            raise GiveUpError("the back-end has no memory slot")

    def _read_config(self) -> None:
        fields = self._link.ask(Purpose.READ_CONFIG, {"offset": 0, "size": _CONFIG_SIZE, "contents": bytes(60)}).fields
        if self._faults.has("F-16"):
            return
        if fields["offset"] and not self._faults.has("F-51"):
            raise GiveUpError(f"the configuration from {fields['offset']} on was not asked for")
        if not int(fields["contents"][:16], 16):
            self._faults.die_of("F-19")

    def _acknowledge(self, offered: int) -> None:
        link, faults, known = self._link, self._faults, self._known
        features = offered & _WANTED
        again = known.connections > 1
        if faults.has("F-74"):
            features = known.features if again else offered & (_WANTED | _PACKED)
        elif faults.has("F-76") and again:
            features = offered & (_BIT_30 | _VERSION_1)
        elif faults.has("F-77"):
            features = offered & (_WANTED | _PACKED)
        elif faults.has("F-11"):
            features = offered
        elif faults.has("F-00"):
            features |= ~offered & VIRTIO_FEATURES.mask("IN_ORDER")
        known.features = features
        link.send(Purpose.ACK_FEATURES, {"features": features})
        if not (link.has("STATUS") or faults.has("F-50")):
            return
        link.send(Purpose.SET_STATUS, {"status": _ACKNOWLEDGED | _DRIVER | _FEATURES_OK})
        if not link.ask(Purpose.GET_STATUS).fields["status"] & _FEATURES_OK:
            raise GiveUpError("the back-end does not accept the features")

    def _get_inflight(self) -> None:
        link, faults = self._link, self._faults
        asked = {"num_queues": 1, "queue_size": RING_SIZE}
        fields, fds = link.ask(Purpose.OFFER_INFLIGHT, asked)
        if not fields["mmap_size"]:
            faults.die_of("F-67")
            for fd in fds:
                os.close(fd)
            return
        if not fds and faults.has("F-66"):
            return
        if len(fds) != 1:
            raise GiveUpError(f"GET_INFLIGHT_FD is answered with {len(fds)} descriptors")
        self._inflight = fds[0]
        if fields["mmap_size"] + fields["mmap_offset"] > os.fstat(self._inflight).st_size:
            raise GiveUpError("the in-flight memory is larger than its file")
        link.send(Purpose.SET_INFLIGHT, fields, (self._inflight,))

    def _send_memory(self) -> None:
        link, disk = self._link, self._disk
        if link.has("CONFIGURE_MEM_SLOTS") or self._faults.has("F-49"):
            link.command(Purpose.ADD_MEMORY, disk.region, (disk.memory,))
        else:
            link.command(Purpose.REPLACE_MEMORY, {"regions": [disk.region]}, (disk.memory,))
        if link.has("LOG_SHMFD"):
            size = 8 if self._faults.has("F-34") else disk.region["size"] // _PAGES_PER_BYTE
            log = os.memfd_create("log", os.MFD_CLOEXEC)
            os.truncate(log, size)
            link.ask(Purpose.SET_LOG, {"mmap_size": size}, (log,))
            os.close(log)

    def _start_ring(self) -> None:
        link, disk = self._link, self._disk
        link.send(Purpose.SET_RING_SIZE, {"index": 0, "num": RING_SIZE})
        link.send(Purpose.SET_RING_BASE, {"index": 0, "num": disk.base})
        link.command(Purpose.SET_RING_ADDRESSES, disk.addresses)
        for purpose, fd in ((Purpose.SET_CALL, disk.call), (Purpose.SET_ERR, disk.err), (Purpose.SET_KICK, disk.kick)):
            link.send(purpose, {"index": 0}, (fd,))
        self.started = True
        if self._known.features & _BIT_30:
            link.send(Purpose.ENABLE_RING, {"index": 0, "num": 1})
        if link.has("STATUS"):
            link.send(Purpose.SET_STATUS, {"status": _ACKNOWLEDGED | _DRIVER | _FEATURES_OK | _DRIVER_OK})
        disk.request()

    def run(self, wake: int) -> None:
        """Serve what comes, until `wake` is readable."""
        link, disk = self._link, self._disk
        while True:
            waiting: list[int] = [link.socket.fileno(), disk.call, disk.err, wake]
            if link.channel is not None:
                waiting.append(link.channel.socket.fileno())
            ready = select.select(waiting, [], [])[0]
            if wake in ready:
                if disk.waits:
                    link.hang_if("F-62")
                return
            self._serve(ready)

    def _serve(self, ready: list[int]) -> None:
        link, disk = self._link, self._disk
        if disk.call in ready and not disk.collect() and self._faults.has("F-63"):
            raise GiveUpError("the ring is signalled for nothing")
        if disk.err in ready:
            self._faults.die_of("F-64")
            os.read(disk.err, 8)
            raise GiveUpError("the back-end reports an error in the ring")
        if link.channel is not None and link.channel.socket.fileno() in ready:
            link.serve_channel()
            if link.channel is not None and link.channel.changed:
                link.channel.changed = False
                self._read_config()
        if link.socket.fileno() in ready:
            self._unexpected()

    def _unexpected(self) -> None:
        try:
            data = self._link.socket.recv(1, socket.MSG_PEEK)
        except ConnectionResetError:
            data = b""
        if data:
            raise GiveUpError("the back-end sends an answer to nothing")
        raise LostError("the back-end closed the connection")

    def stop(self) -> None:
        """Stop the ring."""
        if not self.started:
            return
        fields = self._link.ask(Purpose.STOP_RING, {"index": 0}).fields
        if fields["index"]:
            raise GiveUpError("another ring is stopped than the one that was asked for")
        if fields["num"] != self._disk.base and not self._disk.waits:
            raise GiveUpError(f"the ring stops at {fields['num']}, not at {self._disk.base}")
