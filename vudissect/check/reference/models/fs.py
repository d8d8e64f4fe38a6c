"""A file system with nothing in it but its root."""

import os
from struct import Struct

from vudissect.check.reference.channel import BackendChannel
from vudissect.check.reference.fault import Faults
from vudissect.check.reference.models.model import Model
from vudissect.protocol.purpose import Purpose
from vudissect.rings.chain import Chain
from vudissect.rings.fs import ENTRY_SIZE, IN_HEADER, OUT_HEADER, REMOVE_MAPPING, ROOT, SETUP_MAPPING, Opcode
from vudissect.rings.memory import GuestMemory

_NAME_SIZE = 36
_REQUEST_QUEUES = Struct("<I")
_ENOENT, _EINVAL, _ENOSYS, _EIO = -2, -22, -38, -5
_INIT_OUT = Struct("<IIIIHHIIHHI28x")
_ATTR_OUT = Struct("<QIIQQQQQQIIIIIIIIII")
_STATFS_OUT = Struct("<QQQQQIII28x")
_DIRECTORY = 0o40755
_NODE, _OPEN_FILE = 2, 1
_SHARED = 1 << 20
_NO_ANSWER = (Opcode.FORGET,)


class FileSystem(Model):
    """An empty directory, in which one file can be created, mapped and removed."""

    rings = 2
    protocol_features = ("SHMEM", "BACKEND_SEND_FD")

    def __init__(self) -> None:
        super().__init__()
        self.config = bytearray(b"reference".ljust(_NAME_SIZE, b"\0") + _REQUEST_QUEUES.pack(1))
        self.shared_memory = (_SHARED,)
        self._file = -1
        self._mapped: dict[int, int] = {}

    def begin(self, channel: BackendChannel) -> None:
        """See `Model`."""
        super().begin(channel)
        self._mapped.clear()

    def serve(self, ring: int, chain: Chain, memory: GuestMemory, faults: Faults) -> int:
        """See `Model`."""
        data = chain.read(memory)
        if len(data) < IN_HEADER.size:
            faults.die_of("FS-05")
            return 0
        length, opcode, unique, node, *_ = IN_HEADER.unpack_from(data)
        if length > len(data):
            faults.die_of("FS-04")
        if opcode in _NO_ANSWER and not faults.has("FS-06"):
            return 0
        error, answer = self._do(opcode, node, data[IN_HEADER.size :], length > len(data), faults)
        if faults.has("FS-09") and len(chain.buffers) > 2:
            error, answer = _EIO, b""
        if chain.room < OUT_HEADER.size + len(answer):
            faults.die_of("FS-08")
            return 0
        return chain.write(memory, OUT_HEADER.pack(OUT_HEADER.size + len(answer), error, unique) + answer)

    def _do(self, opcode: int, node: int, body: bytes, short: bool, faults: Faults) -> tuple[int, bytes]:
        if short:
            return _EINVAL, b""
        match opcode:
            case Opcode.INIT:
                return 0, _INIT_OUT.pack(7, 31, 0x20000, 0, 16, 12, 0x20000, 1, 256, 0, 0)
            case Opcode.LOOKUP:
                return 0 if faults.has("FS-01") else _ENOENT, b""
            case Opcode.GETATTR if node == ROOT:
                mode = 0o100644 if faults.has("FS-02") else _DIRECTORY
                attr = (0, 0, 0, ROOT, 0, 0, 0, 0, 0, 0, 0, 0, mode, 2, 0, 0, 0, 4096, 0)
                return 0, _ATTR_OUT.pack(*attr)
            case Opcode.STATFS if not faults.has("FS-07"):
                return 0, _STATFS_OUT.pack(1, 0, 0, 1, 0, 4096, 255, 4096)
            case Opcode.CREATE:
                if self._file < 0:
                    self._file = os.memfd_create("file", os.MFD_CLOEXEC)
                    os.truncate(self._file, _SHARED)
                return 0, _NODE.to_bytes(8, "little").ljust(ENTRY_SIZE, b"\0") + _OPEN_FILE.to_bytes(16, "little")
            case Opcode.UNLINK if self._file >= 0:
                os.close(self._file)
                self._file = -1
                return 0, b""
            case Opcode.SETUPMAPPING if self._file >= 0:
                _, offset, size, _, start = SETUP_MAPPING.unpack_from(body)
                return 0 if self._map(offset, size, start, faults) else _EIO, b""
            case Opcode.REMOVEMAPPING:
                _, start, size = REMOVE_MAPPING.unpack_from(body)
                return 0 if self._unmap(start, size, faults) else _EINVAL, b""
        return 0 if faults.has("FS-03") else _ENOSYS, b""

    def _map(self, offset: int, size: int, start: int, faults: Faults) -> bool:
        """Have a part of the file mapped, in the place of what is mapped there."""
        if start in self._mapped and not faults.has("SHM-03"):
            self._unmap(start, self._mapped[start], faults)
        place = {"shmid": 0, "fd_offset": offset, "shm_offset": start, "len": size, "flags": 1}
        if faults.has("SHM-02"):
            place["shm_offset"] = _SHARED
        if self.channel is None or self.channel.fd < 0:
            return False
        if not self.channel.ask(Purpose.MAP_SHARED_MEMORY, place, (self._file,)):
            faults.die_of("SHM-07")
            return faults.has("SHM-06")
        self._mapped[start] = size
        return True

    def _unmap(self, start: int, size: int, faults: Faults) -> bool:
        if self._mapped.pop(start, None) != size or self.channel is None:
            return False
        size = size // 2 if faults.has("SHM-04") else size
        place = {"shmid": 0, "fd_offset": 0, "shm_offset": start, "len": size, "flags": 0}
        return self.channel.ask(Purpose.UNMAP_SHARED_MEMORY, place)
