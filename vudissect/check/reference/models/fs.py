"""A file system with nothing in it but its root."""

from struct import Struct

from vudissect.check.reference.fault import Faults
from vudissect.check.reference.models.model import Model
from vudissect.rings.chain import Chain
from vudissect.rings.fs import IN_HEADER, OUT_HEADER, ROOT, Opcode
from vudissect.rings.memory import GuestMemory

_NAME_SIZE = 36
_REQUEST_QUEUES = Struct("<I")
_ENOENT, _EINVAL, _ENOSYS, _EIO = -2, -22, -38, -5
_INIT_OUT = Struct("<IIIIHHIIHHI28x")
_ATTR_OUT = Struct("<QIIQQQQQQIIIIIIIIII")
_STATFS_OUT = Struct("<QQQQQIII28x")
_DIRECTORY = 0o40755
_NO_ANSWER = (Opcode.FORGET,)


class FileSystem(Model):
    """An empty directory."""

    rings = 2

    def __init__(self) -> None:
        super().__init__()
        self.config = bytearray(b"reference".ljust(_NAME_SIZE, b"\0") + _REQUEST_QUEUES.pack(1))

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
        error, answer = self._do(opcode, node, length > len(data), faults)
        if faults.has("FS-09") and len(chain.buffers) > 2:
            error, answer = _EIO, b""
        if chain.room < OUT_HEADER.size + len(answer):
            faults.die_of("FS-08")
            return 0
        return chain.write(memory, OUT_HEADER.pack(OUT_HEADER.size + len(answer), error, unique) + answer)

    def _do(self, opcode: int, node: int, short: bool, faults: Faults) -> tuple[int, bytes]:
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
        return 0 if faults.has("FS-03") else _ENOSYS, b""
