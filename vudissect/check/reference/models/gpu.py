"""A GPU that shows nothing."""

import struct

from vudissect.check.reference.fault import Faults
from vudissect.check.reference.models.model import Model
from vudissect.rings import gpu
from vudissect.rings.chain import Chain
from vudissect.rings.gpu import Command, Header, Response
from vudissect.rings.memory import GuestMemory, RingError

_CONFIG_SIZE = 16


class Gpu(Model):
    """Two rings, for commands and for the cursor. It keeps resources, but no pixels."""

    rings = 2

    def __init__(self) -> None:
        super().__init__()
        self.config = bytearray(_CONFIG_SIZE)
        self._resources: set[int] = set()

    def serve(self, ring: int, chain: Chain, memory: GuestMemory, faults: Faults) -> int:
        """See `Model`."""
        data = chain.read(memory)
        header = gpu.read_header(data)
        if header is None:
            faults.die_of("GPU-07")
            return 0
        if chain.room < gpu.HEADER_SIZE:
            faults.die_of("GPU-08")
            return 0
        kind = self._do(header.kind, data[gpu.HEADER_SIZE :], memory, faults)
        kept = header.flags & gpu.FENCE and not faults.has("GPU-03")
        return chain.write(memory, (Header(kind, gpu.FENCE, header.fence) if kept else Header(kind)).pack())

    def _do(self, command: int, body: bytes, memory: GuestMemory, faults: Faults) -> Response:
        try:
            match command:
                case Command.RESOURCE_CREATE_2D:
                    return self._create(faults, *gpu.CREATE_2D.unpack_from(body))
                case Command.RESOURCE_UNREF:
                    return self._release(faults, *gpu.RESOURCE.unpack_from(body))
                case Command.RESOURCE_ATTACH_BACKING:
                    return _attached(faults, memory, *gpu.BACKING.unpack_from(body))
        except struct.error:
            return Response.INVALID_PARAMETER
        return Response.OK if faults.has("GPU-04") else Response.UNSPECIFIED

    def _create(self, faults: Faults, resource: int, format_: int, *_: int) -> Response:
        if format_ != gpu.BGRA:
            return Response.OK if faults.has("GPU-05") else Response.INVALID_PARAMETER
        if resource in self._resources:
            return Response.OK if faults.has("GPU-06") else Response.INVALID_RESOURCE
        if faults.has("GPU-01"):
            return Response.OUT_OF_MEMORY
        self._resources.add(resource)
        return Response.OK

    def _release(self, faults: Faults, resource: int) -> Response:
        if resource not in self._resources:
            return Response.OK if faults.has("GPU-02") else Response.INVALID_RESOURCE
        self._resources.remove(resource)
        return Response.OK


def _attached(faults: Faults, memory: GuestMemory, resource: int, pieces: int, address: int, length: int) -> Response:
    if faults.has("GPU-09"):
        return Response.OK
    try:
        memory.at_guest(address, length)
    except RingError:
        return Response.UNSPECIFIED
    return Response.OK
